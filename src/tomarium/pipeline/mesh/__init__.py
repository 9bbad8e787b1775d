"""Surfaces of volumes: meshes, and bodies that can be printed."""
