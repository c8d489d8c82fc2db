"""Everything on one machine: real targets, operators who work on them, and a console to watch."""
