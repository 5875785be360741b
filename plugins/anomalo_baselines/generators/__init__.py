"""Generators of synthetic rows: bootstrap, marginals, SMOTE, a Gaussian copula and a mixture."""
