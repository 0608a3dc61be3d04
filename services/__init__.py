"""The rooms of Farebox. Imports point down: cli, processes, domain | sql | stores | settings, ports | telemetry."""
