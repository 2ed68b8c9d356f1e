"""Shipped binance."""
