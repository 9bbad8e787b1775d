"""Images of one thing laid on each other: rotations, sampling, mutual information, search and refinement."""
