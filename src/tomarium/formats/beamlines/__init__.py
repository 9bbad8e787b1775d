"""HDF5 layouts of single facilities."""
