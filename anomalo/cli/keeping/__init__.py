"""The verbs of what the workspace keeps: models and runs, and the plugins that made them."""
