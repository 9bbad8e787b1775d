"""HDF5 files: how they are opened safely, read, and written."""
