"""Noise of finished volumes, taken away with a strength that the views themselves tell."""
