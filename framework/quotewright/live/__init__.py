"""Live market data: connections as pure state machines, and the sockets that drive them."""
