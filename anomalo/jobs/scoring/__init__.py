"""Jobs that score rows and explain the scores."""
