"""One step of adversarial training on rows: what is generated, and random conditions."""
