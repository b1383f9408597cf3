"""The only place that knows which adapter is used, and where settings come from."""
