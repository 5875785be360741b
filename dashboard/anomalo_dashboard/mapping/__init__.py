"""The embedding map: where rows lie, what colours them, how they are drawn, and the ones that a user chooses."""
