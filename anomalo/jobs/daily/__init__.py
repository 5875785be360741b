"""Daily jobs, each described by one file."""
