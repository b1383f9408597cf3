"""The home on one machine: a folder, SQLite and worker threads."""
