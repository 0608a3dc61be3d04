"""What an operator may set: read once from the environment, in `__main__`, into frozen classes.

`processes.py` has one class for each process; the other files have the fields that belong together. Not here: what
decides by them. Start reading with `processes.py`.
"""
