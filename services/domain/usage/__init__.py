"""What a provider's response says was used: tokens by disjoint class, the model billed, the service tier.

Knows no price (`pricing/`). One module per provider's usage format lives in `formats/`. Start with `parse.py`.
"""
