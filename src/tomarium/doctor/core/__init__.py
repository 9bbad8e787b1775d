"""Checks, findings and what they are about."""
