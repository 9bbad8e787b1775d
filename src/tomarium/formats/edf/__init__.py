"""EDF, the format of the ESRF."""
