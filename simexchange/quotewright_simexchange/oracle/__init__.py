"""A slow, obvious reading of the matching rules, kept apart from the fast core so that the two can be compared."""
