"""Jobs that make synthetic rows, evaluate them, and advise whether to use them."""
