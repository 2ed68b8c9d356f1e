"""Damaged frames: every cut of a frame and seeded mutations, adapter by adapter."""
