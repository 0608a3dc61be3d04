"""What several tests do: runs of many calls, walks over stores and documents, checkers of formats."""
