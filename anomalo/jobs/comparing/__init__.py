"""Comparisons of today's table with an earlier one, or with the table that a model was fitted on."""
