"""A live session: its driver, what the store learns of it, its end."""
