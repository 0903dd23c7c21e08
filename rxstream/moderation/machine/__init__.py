"""The moderator as a pure machine: events and verdicts in; events and commands out."""
