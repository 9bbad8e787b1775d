"""What is done with slices."""
