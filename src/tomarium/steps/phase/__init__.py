"""Steps that retrieve the phase."""
