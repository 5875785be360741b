"""The workspace on disk: saved models, runs and their records."""
