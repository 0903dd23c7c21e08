"""How fast and how long: pace, coalescing, time-outs, backoff, measuring. Pure: each is told the time."""
