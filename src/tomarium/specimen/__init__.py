"""Images of one specimen in space: frames, the links between them, and where a point of one lies in the others."""
