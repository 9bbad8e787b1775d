"""What a scan needs, or a planned one: views, disk, energy, distance, exposure."""
