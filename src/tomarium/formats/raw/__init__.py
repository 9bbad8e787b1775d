"""Volumes without a header, and what tells their shape."""
