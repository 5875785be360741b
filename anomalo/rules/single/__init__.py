"""Rules about one column."""
