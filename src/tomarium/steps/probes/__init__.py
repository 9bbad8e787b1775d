"""Probes: values found in the data."""
