"""Fetching recorded data over HTTP: one policy of retries, downloads that go on where they stopped, paging."""
