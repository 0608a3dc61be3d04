"""HTTP/1.1 towards clients: listening, requests in, responses out. Start with `connection.py`.

`parser.py` turns bytes into requests, `dispatcher.py` decides who responds, `response_writer.py` turns responses into
bytes. What happens to a request on a provider's route is in `exchange/`; connections to providers are in
`stores/upstream`.
"""
