"""``python -m quotewright`` is the command ``quotewright``."""

from quotewright.cli.main import run

run()
