"""Images of one specimen: how they lie in each other."""
