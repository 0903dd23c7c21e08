"""Pure machines that hold the meaning: no Rx, no clock, no await."""
