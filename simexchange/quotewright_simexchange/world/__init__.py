"""A simulated world: the whole stack in one thread, on one seed, in virtual time."""
