"""Images of one specimen in space: frames, alignment, the links between them, where a point of one lies in others."""
