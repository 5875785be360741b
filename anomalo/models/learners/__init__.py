"""What models are made of: trees, boosting and Gaussians of columns with missing values."""
