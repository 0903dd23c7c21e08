"""The checks: which text may be shown."""
