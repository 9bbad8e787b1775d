"""Views: lazy scans made of scans, with projections, flats and darks alike."""
