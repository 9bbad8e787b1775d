"""OME-Zarr volumes and images."""
