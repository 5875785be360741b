"""One training update of a network: contrastive divergence and wake-sleep."""
