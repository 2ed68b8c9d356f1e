"""Markets that move a local exchange: seeded agents, a recorded tape, a script. Each acts on the market clock."""
