"""What every operator, and every moderation, must keep."""
