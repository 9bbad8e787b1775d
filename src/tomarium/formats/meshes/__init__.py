"""Meshes as files: STL, 3MF, GLB and PLY."""
