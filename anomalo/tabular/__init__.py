"""What a table is: readers, columns, their kinds and how they are inferred, parsed and written back."""
