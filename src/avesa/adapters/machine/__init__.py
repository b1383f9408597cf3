"""The machine that the code runs on, a laptop's or a Lambda function's: clocks, threads, processes.

The other adapters may build on this package; it needs nothing beside the standard library, no SQLite in particular.
"""
