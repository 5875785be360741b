"""The inbox of alerts: the bar that all pages of runs share, the list of alerts and the row beside it."""
