"""The event log on Kafka, with a journal that takes over while the brokers are unreachable.

Start with `client.py`; `sink.py` writes, `source.py` reads.
"""
