"""Formats that browsers read: events to the parts of a format, and requests to input items. Pure."""
