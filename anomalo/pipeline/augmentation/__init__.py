"""Whether synthetic rows help to learn a rare class: what is tried, on which rows, and the advice."""
