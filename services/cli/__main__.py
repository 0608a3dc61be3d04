"""`python -m services.cli` is `farebox` without an installed script."""

from services.cli import main

main()
