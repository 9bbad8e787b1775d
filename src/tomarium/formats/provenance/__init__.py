"""Where a file comes from, and how its source is kept."""
