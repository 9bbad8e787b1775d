"""One file into another, and what became of each of its parts."""
