"""Who may pass: gates that every request goes through, in a fixed order, before anything is sent to a provider.

Start with `admission.py`. A gate is a file here and a line in `build.py`: budgets and rate limits belong here; what
they count with belongs to `stores/`, and how they decide to `domain/`. What becomes of a request that was admitted is
decided in `exchange/`.
"""
