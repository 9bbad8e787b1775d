"""Filtered backprojection, one engine a module; `tomarium.kernels.fbp` is the door to all of them."""
