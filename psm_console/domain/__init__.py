"""The decisions, pure: no I/O, no clock, no randomness. Events in, effects out."""
