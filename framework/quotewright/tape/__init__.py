"""The tape: one representation of the market, in memory and in files. See ``docs/tape.md``."""
