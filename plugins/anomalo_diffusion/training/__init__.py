"""What the network is trained on: rows, random conditions and the loss."""
