"""What the command line, dashboards and schedulers call: a folder for each family of verbs, a file for each verb."""
