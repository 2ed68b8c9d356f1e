"""Archives of the exchanges themselves: which files there are, and importers of those that a tape comes out of."""
