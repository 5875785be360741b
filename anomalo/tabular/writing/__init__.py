"""Writers of tables: text, Parquet, Arrow, JSON lines and workbooks, by the suffix of the file."""
