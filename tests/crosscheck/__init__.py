"""The replay venue beside hftbacktest: same orders, same data, and every difference explained by a documented rule."""
