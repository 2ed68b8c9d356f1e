"""The HolySheep relay as articles describe it. Unverified: whether the service exists in this shape is not known."""
