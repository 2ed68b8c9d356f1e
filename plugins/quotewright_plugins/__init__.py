"""What ships in the box: feed adapters, book models, strategies, risk rules, importers."""
