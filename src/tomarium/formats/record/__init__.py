"""Record folders."""
