"""What the command line, dashboards and schedulers all call: one job a file."""
