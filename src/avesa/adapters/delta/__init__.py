"""Canonical tables as Delta Lake: DuckDB reads and writes Parquet, delta-rs commits (docs/decisions: table
format, engine).
"""
