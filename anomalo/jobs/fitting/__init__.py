"""Jobs that fit a model and save it."""
