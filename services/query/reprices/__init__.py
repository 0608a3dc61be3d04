"""Re-pricing runs: begun, listed, shown and undone. What carries them out is `services/repricing`.

Start with `endpoints.py`.
"""
