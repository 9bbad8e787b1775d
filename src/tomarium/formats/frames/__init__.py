"""Frames made of other frames and arrays."""
