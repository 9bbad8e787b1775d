"""A run, its journal and what it leaves."""
