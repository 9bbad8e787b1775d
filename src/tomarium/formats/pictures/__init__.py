"""Pictures of one page."""
