"""Technology behind the ports, one package per home."""
