"""What speaks for a cell being wrong: one module for each kind of evidence."""
