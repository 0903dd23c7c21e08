"""Pace, coalescing, time-outs, backoff, metrics. Pure: the time is a parameter."""
