"""Images as the rows of a source: a folder of files, a column of a table that names files, or an array in an .npz."""
