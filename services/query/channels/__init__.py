"""Endpoints of channels, of what was sent through them, and of scheduled reports. Start with `router.py`.

Messages are made and sent by the scheduler; here they are only put into its outbox.
"""
