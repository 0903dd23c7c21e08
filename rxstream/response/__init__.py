"""What the events of a response mean. No Rx, clock or await here."""
