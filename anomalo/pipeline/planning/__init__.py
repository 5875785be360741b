"""What a job is going to take, before any work: measured on the first rows of its table, and by the model's plan."""
