"""Unmodified clients of other people against the local exchange: each in an environment of its own."""
