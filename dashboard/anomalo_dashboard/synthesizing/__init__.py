"""Parts of the page Synthesize: the synthetic rows as a table, and held-out real rows to compare them with."""
