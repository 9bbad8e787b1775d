"""The web pages and their JSON twins."""
