"""The local exchange as one object without I/O: instruments, accounts, orders, histories, market clock, events."""
