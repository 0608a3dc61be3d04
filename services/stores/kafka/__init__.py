"""The event log of a scaled-out Farebox, on aiokafka, which nothing else imports.

Start with `sink.py`, the writing end: `producer.py` sends, `shrink.py` makes events fit a message, and `spill.py` keeps
them in a journal while Kafka is unreachable. `source.py` is the reading end, `dead_letters.py` lists what no worker
could use, `topics.py` makes the topics, and `client.py` holds what they share. Retention is the operator's.
"""
