"""What an operator types: start everything, look at the costs, handle keys. Wires the processes; decides nothing."""


def main() -> None:
    """The console entry `farebox`."""
    from services.cli.app import app

    app()
