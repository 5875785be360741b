"""The tables of a workspace over time: a line for each, and one of them in detail."""
