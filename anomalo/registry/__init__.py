"""Plugins: how they are found, what hooks they implement, and what they gave."""
