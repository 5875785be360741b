"""Detectors: nearest neighbours, robust covariance, isolation forest and local outlier factor."""
