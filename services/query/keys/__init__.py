"""API keys over HTTP: listed, created, imported, renamed, rotated and revoked.

Start with `endpoints.py`. Who may do what with a key is in `http/auth.py`, and where keys are stored in
`services/stores/state/api_keys.py`.
"""
