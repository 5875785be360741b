"""How good synthetic rows are: like the real ones, useful in their place, and no copies of them."""
