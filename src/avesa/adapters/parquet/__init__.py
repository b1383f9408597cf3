"""Raw parts as Parquet through pyarrow (docs/decisions: raw layout)."""
