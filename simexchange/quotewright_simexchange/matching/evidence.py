"""Why the replay venue filled us, by code; plain, since kernels and readers of reports share it."""

from __future__ import annotations

THROUGH = 0
AT_PRICE = 1
ARRIVED = 2
AFTER_GAP = 3
TAKEN = 4
EVIDENCE = ("print_through", "print_at_price", "opposite_arrived", "after_gap", "taken")
"""Names by code, strongest evidence first for resting orders."""
