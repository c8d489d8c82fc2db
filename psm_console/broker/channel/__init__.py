"""One channel of a session and its two halves: recorded, then forwarded, if the gate is open."""
