"""Figures of a finished volume."""
