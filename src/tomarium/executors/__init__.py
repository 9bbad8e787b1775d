"""Ways to map a function over slabs."""
