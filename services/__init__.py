"""The rooms of Farebox. Imports point down: cli, processes, domain | sql | stores | settings, ports | telemetry."""

__version__ = "0.1.0"
