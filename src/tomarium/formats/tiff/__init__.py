"""TIFF: series, volumes, pyramids."""
