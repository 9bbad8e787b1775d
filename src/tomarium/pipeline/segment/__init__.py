"""Segmentation of finished volumes, slab by slab: every voxel gets the number of a class or of an object."""
