"""What an operator types: start everything, look at the costs, handle keys. Wires the processes; decides nothing.

Start with `app.py`, which lists the commands; a command is a file or, with several of them, a package of its name. All
but those that work on the data folder (`state_store.py`) are clients of the query service (`client.py`).
"""


def main() -> None:
    """The console entry `farebox`."""
    from services.cli.app import app

    app()
