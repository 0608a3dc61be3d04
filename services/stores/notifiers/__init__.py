"""Senders of messages: mail by SMTP, and the rest by HTTP. Start with `notifier.py`.

What messages say is decided in `domain/messages`, and when they are sent again in `domain/channels`.
"""
