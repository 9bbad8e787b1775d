"""Images of microscopes."""
