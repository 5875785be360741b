"""Parts of the page Synthesize: synthetic rows as a table, held-out rows to compare them with, synthetic images."""
