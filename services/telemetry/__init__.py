"""What a process reports about itself: metrics, health and log lines.

Not here: the spans and metrics of calls that go out (`domain/gen_ai`). Start reading with `metrics.py`.
"""
