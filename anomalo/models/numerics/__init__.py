"""Linear algebra of models without a network: Gaussians of incomplete rows, products by rows."""
