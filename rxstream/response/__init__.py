"""What the events of a response mean: pure, without Rx, clock or await."""
