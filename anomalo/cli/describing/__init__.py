"""The verbs that say what a table holds, and what work on it takes."""
