"""Protocols: steps with their parameters, and what they come to for a scan."""
