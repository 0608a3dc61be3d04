"""What the core needs from outside, said once: one file for each kind of outside system.

Adapters live in `stores`; processes receive them as arguments. Not here: values (`schemas`) and decisions (`domain`).
Start reading with `log.py`, where events go, and `upstream.py`, where requests go.
"""
