"""Channels as people set them, when a message is sent again, and when a report is due. Start with `new_channel.py`."""
