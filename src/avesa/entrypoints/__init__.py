"""The outermost layer: what a person or a scheduler starts."""
