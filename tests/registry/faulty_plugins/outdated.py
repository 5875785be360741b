"""It must not be imported: its distribution requires another version of anomalo."""

raise RuntimeError("imported")
