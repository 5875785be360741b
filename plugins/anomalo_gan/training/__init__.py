"""One step of adversarial training: losses, gradient penalties and random conditions."""
