"""What the fast parts cost, measured in one run beside sortedcontainers: ``python -m bench``."""
