"""What the page Feedback shows: what reviews would teach a model, before and after it is applied."""
