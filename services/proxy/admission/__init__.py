"""Who may pass: gates that every request goes through, in a fixed order, before anything is sent to a provider.

Start with `admission.py`. A gate is a file here and a line in `proxy/build.py`. Not here: rate limits and budgets,
which use up nothing for a hit of the cache and so come behind it, as decorators (`upstream/limited_call.py`,
`budgets/budgeted_call.py`), and what becomes of a request that was admitted (`exchange/`).
"""
