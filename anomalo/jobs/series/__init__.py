"""What jobs do with series that they do not with tables: points around a batch, alerts as intervals, rows to come."""
