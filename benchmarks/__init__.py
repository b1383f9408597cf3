"""Measurements that docs/performance.md shows: AVESA beside its peers, as tables grow, and stage by stage."""
