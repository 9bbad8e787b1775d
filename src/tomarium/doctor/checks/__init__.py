"""The checks, a theme a file."""
