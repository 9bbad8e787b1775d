"""Sinograms in a file."""
