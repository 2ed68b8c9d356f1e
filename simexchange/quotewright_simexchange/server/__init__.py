"""The local exchange on loopback: sockets, wall clock and faults around doors, and the control plane."""
