"""Physically honest synthetic scans with their truth."""
