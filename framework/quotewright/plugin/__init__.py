"""Hook specs, discovery and the registry of plugins."""
