"""Marble diagrams of a stream of events: written, run and drawn.

`rxstream.testing.assert_marbles` and `check_marbles` run a picture; what is here makes and reads the rows of one.
"""

from rxstream.testing.marbles._marbles import cold, hot, pictures, trial_of
from rxstream.testing.marbles._picture import Picture
from rxstream.testing.marbles._trial import Trial

__all__ = ["Picture", "Trial", "cold", "hot", "pictures", "trial_of"]
