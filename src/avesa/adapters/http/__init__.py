"""The wire through urllib3 (docs/decisions: HTTP client)."""
