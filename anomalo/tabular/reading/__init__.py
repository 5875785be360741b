"""Readers of local tables: text of any encoding and layout, workbooks, Parquet, Arrow and JSON files."""
