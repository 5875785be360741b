"""The families of adversarial networks, each with its paper."""
