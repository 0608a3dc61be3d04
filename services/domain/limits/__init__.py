"""Who may go next, and how much: fair queues, and later rate limits. Pure policies; counters live in `stores`."""
