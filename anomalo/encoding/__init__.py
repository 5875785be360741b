"""From columns to numbers and back: one encoder for each modality."""
