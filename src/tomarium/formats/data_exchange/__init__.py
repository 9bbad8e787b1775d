"""Data Exchange, the HDF5 layout of the Advanced Photon Source."""
