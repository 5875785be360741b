"""What scores mean: out-of-fold scores, p-values, thresholds, drift, and contributions by occlusion."""
