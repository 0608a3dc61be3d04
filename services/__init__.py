"""The rooms of Farebox. Imports point down: cli, processes, domain | sql | stores | settings, ports | telemetry.

Start with `README.md`: the main path, the rooms, and where a new thing goes.
"""

__version__ = "0.1.0"
