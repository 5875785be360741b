"""Where a job's shards run."""
