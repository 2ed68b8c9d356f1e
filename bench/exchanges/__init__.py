"""Frames of the four exchanges from bytes to the best quotes: ours beside cryptofeed, ccxt and tardis-dev."""
