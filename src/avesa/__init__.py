"""AVESA keeps every tenant's service-desk history as open tables; this file is the version's one home."""

__version__ = "0.1.0"
