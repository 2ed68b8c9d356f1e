"""Two clients trade on the served exchange over real sockets while every kind of fault strikes; nothing may be lost."""
