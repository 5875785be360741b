"""What a person's answers about a few cells teach about all others: which are wrong, and how they are rewritten."""
