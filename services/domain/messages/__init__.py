"""Notices as messages: one content for all channels, and a renderer for each kind of channel.

Start with `render.py`, then `content.py`, which decides what is said; the other modules decide how it looks. Texts of
clients, such as user ids, are made inert in `texts.py` and by each renderer in the way of its format. Sending is in
`stores/notifiers`.
"""
