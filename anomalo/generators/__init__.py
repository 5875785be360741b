"""What generators of synthetic rows share: transforms, dependencies, missingness and constraints."""
