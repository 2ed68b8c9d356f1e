"""Shipped books."""
