"""Arrays in and out, the maths cited; no kernel knows a scan, a file or a unit in text."""
