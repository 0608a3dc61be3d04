"""What is read in a request's body and path: model, user, tier, and the options that decide its price.

`info.py` reads what the request names, `options.py` and `prompt_text.py` the rest, and `hints.py` holds all of it, so
that a body can be dropped. What they mean for a response is decided in `usage/request_hints.py`. Start with `info.py`.
"""
