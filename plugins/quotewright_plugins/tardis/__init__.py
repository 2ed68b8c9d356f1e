"""Tardis: its normalised messages, its raw recordings, its server, its data sets."""
