"""What every part of the house speaks of: instruments, orders, reports, states."""
