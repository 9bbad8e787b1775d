"""Parameter files and volumes of PyHST2."""
