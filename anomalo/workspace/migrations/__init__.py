"""The steps that bring the tables of an older workspace to those of today, one file in `versions` for each."""
