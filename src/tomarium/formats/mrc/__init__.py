"""MRC volumes and tilt series."""
