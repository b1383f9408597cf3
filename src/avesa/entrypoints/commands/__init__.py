"""One module for each command. Importing them is cheap: what a command works with is imported when it runs."""
