"""The forms of the page Start: a table, its columns, and the model that learns it or scores it."""
