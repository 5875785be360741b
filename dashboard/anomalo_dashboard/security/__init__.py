"""Who may use the dashboard, which files they may open, and that what tables hold is shown as text."""
