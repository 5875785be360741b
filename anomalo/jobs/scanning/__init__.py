"""Jobs that fit, score and impute in one go."""
