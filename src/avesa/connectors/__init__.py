"""How a source is read, decided without I/O: requests to make, answers to understand."""
