"""Every port without a disk, a network or a clock: for tests, for histories replayed from a seed, and to try things."""
