"""The web page's server side: its built files, and the sessions of those who signed in with a key.

The page itself is TypeScript, in services/dashboard; it calls only the public API. Start reading at router.py.
"""
