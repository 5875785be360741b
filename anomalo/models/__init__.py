"""What a model is: its parameters, its verbs, what they return, and what models without a network share."""
