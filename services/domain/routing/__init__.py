"""Where a request goes that its path alone does not send anywhere: custom targets and an operator's named upstreams.

Start with `choose.py`. `custom.py` parses what clients name and checks it against the hosts that are allowed,
`address.py` decides about the addresses to which a host leads; several servers are named in a header (`fallbacks.py`)
or in a body (`models.py`). The routes of known providers are in `exchange/routes.py`; connecting, and to which address,
is the work of `stores/upstream`.
"""
