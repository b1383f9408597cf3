"""What is deployed together: what must never be lost, what can be replaced, and what watches the two."""
