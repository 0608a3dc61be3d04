"""The embedded event log: one SQLite file in WAL mode, and what makes it survive kills, full disks and damage.

Start with `file.py`, the tables and the form of a segment. `sink.py` writes events, `intake.py` covers them until they
are durable, and `recovery.py` takes over what a killed process left; `source.py` delivers them, one `reader.py` a file.
After damage `files.py` begins a fresh file, and `salvage.py` saves what `pages.py` and `write_ahead_log.py` find in the
old one. `dead_letters.py` lists what no worker could use. What events mean is not decided here.
"""
