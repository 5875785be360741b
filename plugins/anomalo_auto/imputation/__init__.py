"""The imputer `blend`: for each column a mixture of a joint Gaussian, kernel regression and a forest."""
