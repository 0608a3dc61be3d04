"""The events of a stored stream -> the JSON that the provider would have answered without streaming.

Here: one file a wire format, and what texts in pieces have in common. Not here: usage, which `domain/usage` reads from
the events themselves. Start reading at `stream.py`.
"""
