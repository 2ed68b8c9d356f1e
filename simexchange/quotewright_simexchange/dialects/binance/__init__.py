"""Binance's protocol on the local exchange: REST, market streams, user data and the WebSocket API."""
