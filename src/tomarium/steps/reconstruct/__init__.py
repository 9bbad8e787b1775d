"""From attenuation to slices."""
