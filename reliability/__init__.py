"""Harnesses that try to break AVESA: histories drawn from a seed, a matrix of kills, mutations of the source."""
