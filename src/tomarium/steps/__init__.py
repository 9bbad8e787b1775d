"""Kernels with a name, parameters, a cut, a halo and a peak."""
