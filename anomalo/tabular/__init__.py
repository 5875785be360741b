"""What one column is: guessed or told, parsed from text or types, and written back."""
