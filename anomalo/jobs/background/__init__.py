"""Commands that a worker process runs in the background, one after another."""
