"""Protocols in which the local exchange is spoken to: one folder an exchange, each without I/O."""
