"""Steps that mend raw frames."""
