"""Steps that remove stripes from sinograms, which become rings in slices."""
