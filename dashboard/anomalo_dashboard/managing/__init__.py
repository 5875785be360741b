"""What the pages Models and Jobs show and change: versions of saved models, and jobs in the background."""
