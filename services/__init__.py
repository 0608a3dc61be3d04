"""The rooms of Farebox. Imports point down only: cli, processes, domain | sql | stores | settings, ports | telemetry."""
