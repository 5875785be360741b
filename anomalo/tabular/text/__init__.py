"""How text tables are read: their packing, encoding, separator, header and ragged ends, all brought to one path."""
