"""How texts are understood: what the user decided, the formats of numbers and datetimes, and the kinds of columns."""
