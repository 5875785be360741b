"""Tables whose rows are points of series: the columns that say so."""
