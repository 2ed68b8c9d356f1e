"""Conformance checks and fixtures for plugin authors."""
