"""`farebox export`: the rows of an export into a file, which goes on where it was interrupted.

Start with `commands.py`.
"""
