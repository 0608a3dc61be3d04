"""The process that answers clients: passes requests on and publishes one event for each."""
