"""CUDA kernels: for each one that is compiled for the processors, one source that does the same on a GPU."""
