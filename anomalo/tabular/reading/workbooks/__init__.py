"""Workbooks: the sheet that is read, where its table begins, and how much it may hold."""
