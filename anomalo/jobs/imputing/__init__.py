"""Jobs that impute missing cells and repair anomalous ones."""
