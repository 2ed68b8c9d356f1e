"""Shipped importers."""
