"""How good synthetic rows are: similar to the real rows, useful instead of them, and not copies of them."""
