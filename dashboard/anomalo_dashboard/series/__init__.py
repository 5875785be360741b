"""What pages show of runs of series: channels over time, what was expected, intervals of alerts and changes."""
