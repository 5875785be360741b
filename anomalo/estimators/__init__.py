"""The scikit-learn estimators: detector, imputer, embedder, augmenter and classifier."""
