"""`farebox up`: all of Farebox on one machine, under one command and without a server.

Two processes. The proxy's (`run.py`) serves calls, and starts, watches and restarts (`supervisor.py`) the accounting's
(`__main__.py`, `accounting.py`): worker, query service and the engine of the warehouse, which may need much memory,
crash or be killed. They share the event log's file, the state database and the query service's socket, and talk over
one channel (`messages.py`, `accounting_process.py`, `channel.py`). What each of the services does is in its own room;
only where they keep what they keep is decided here (`data_folder.py`). Start with `run.py`.
"""
