"""The matching core, the engine around it, and the venue that replays tapes."""
