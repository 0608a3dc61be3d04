"""The process that answers callers: passes requests on and publishes one event for each."""
