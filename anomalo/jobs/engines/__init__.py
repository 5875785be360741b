"""Where a job's batches are worked on."""
