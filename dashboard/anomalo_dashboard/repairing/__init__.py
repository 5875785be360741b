"""Repairs at work: what runs suggest for cells is accepted, edited or rejected, and written as a new table."""
