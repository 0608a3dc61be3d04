"""Reports from sums by hour and day, where these are complete. What is summed is in `grains.py`: start there.

How they are computed is in `computing.py`, how a statement reads them in `reading.py`. When they are computed is the
worker's business, and whether a statement reads them the query service's.
"""
