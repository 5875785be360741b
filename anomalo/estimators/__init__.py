"""The scikit-learn face: detector, imputer, embedder, augmenter and classifier."""
