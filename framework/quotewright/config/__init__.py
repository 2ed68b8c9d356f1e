"""The config file: TOML in, typed plugins out."""
