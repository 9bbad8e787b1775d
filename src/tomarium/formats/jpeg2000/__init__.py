"""JPEG 2000 volumes."""
