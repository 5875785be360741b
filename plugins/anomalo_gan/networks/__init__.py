"""The networks of a generative adversarial network, and what training keeps beside their weights."""
