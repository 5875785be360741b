"""What reviewed alerts teach a fitted model: which rows are known to be normal, or expected."""
