"""The events of a stored stream -> the JSON that the provider would have sent without streaming.

Here: one file for each wire format, and `growing.py` for values that arrive in parts. Not here: usage, which
`domain/usage` parses from the events themselves. Start with `stream.py`.
"""
