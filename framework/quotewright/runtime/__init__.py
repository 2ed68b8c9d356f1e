"""Drivers: what feeds the pipeline and carries its commands away."""
