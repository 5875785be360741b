"""Which cells of a table are wrong, of what kind, and what they should have been."""
