"""The backtest beside hftbacktest and nautilus_trader: identical data, the same maker, one process for each run."""
