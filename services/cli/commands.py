"""The commands of `farebox`: what may be typed, and which piece of work it starts."""

import typer

app = typer.Typer(name="farebox", help="What LLM traffic costs, per user, feature, environment and session.")
