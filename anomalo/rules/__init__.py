"""Rules between the columns of a table: found in training rows, and evaluated on any batch."""
