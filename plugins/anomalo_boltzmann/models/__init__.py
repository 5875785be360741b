"""The models that are registered, and the base classes that they share."""
