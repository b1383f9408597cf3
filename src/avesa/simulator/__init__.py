"""A ConnectWise of our own, good enough that other clients page through it unchanged."""
