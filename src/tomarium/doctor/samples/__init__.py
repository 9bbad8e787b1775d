"""What is read of a scan or a volume to examine it."""
