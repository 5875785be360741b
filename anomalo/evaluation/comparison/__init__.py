"""Whether two tables come from one distribution, and where they differ."""
