"""What a run will do, and its price."""
