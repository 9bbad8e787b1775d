"""A record as pieces of a page."""
