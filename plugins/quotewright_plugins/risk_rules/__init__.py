"""Shipped risk_rules."""
