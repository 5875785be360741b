"""Files that appear whole or not at all, checksums, and the state of jobs that can be resumed."""
