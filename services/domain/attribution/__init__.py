"""To whom a call is put down: `account.py` the account at the provider, `key_tags.py` the tags that its key sets.

Start with `account.py`. Keys of providers become hashes here and go no further; `digest.py` makes them. What else the
headers and the body of a request say is parsed in `exchange/` and `usage/`.
"""
