"""Who comes in: keys, certificates, second steps, and the limits on those who try."""
