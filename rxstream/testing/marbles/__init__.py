"""Marble pictures of a stream of events: read, run and drawn.

To run a picture, use `assert_marbles` and `check_marbles` of `rxstream.testing`.
"""

from rxstream.testing.marbles._marbles import cold, hot, pictures, trial_of
from rxstream.testing.marbles._picture import Picture
from rxstream.testing.marbles._trial import Trial

__all__ = ["Picture", "Trial", "cold", "hot", "pictures", "trial_of"]
