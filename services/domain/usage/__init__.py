"""What a provider's response says was used: tokens by disjoint class, the model billed, the service tier.

`parse.py` reads a whole response and `truncated.py` one of which only a part was stored; `source.py` decides whether
the figures are the provider's, drained or estimated. `response/` holds what is read in a response, `request/` what is
read in the request to it, and `formats/` each way of counting. No price is known here (`domain/pricing`). Start with
`parse.py`.
"""
