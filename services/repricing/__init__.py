"""Charging stored requests again, in the background. The arithmetic is in `services/domain/pricing`.

Start with `runner.py`; `job.py` is one run.
"""
