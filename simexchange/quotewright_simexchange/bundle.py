"""What the box offers, hook by hook. Factories are imported when they are asked for."""
