"""The steps of a run: decide first, then act through ports."""
