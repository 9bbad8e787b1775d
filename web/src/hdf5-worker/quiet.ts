// HDF5 prints its own account of what it cannot read; what is shown of it comes by exceptions. Imported before HDF5.
console.error = console.debug;
