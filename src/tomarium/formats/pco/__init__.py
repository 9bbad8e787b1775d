"""Cameras of PCO."""
