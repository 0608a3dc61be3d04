"""The process that answers questions over HTTP. Nothing is written here but keys."""
