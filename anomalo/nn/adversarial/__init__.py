"""What adversarial models of any modality share: losses, penalties, the k-step scheme, and remedies for collapse."""
