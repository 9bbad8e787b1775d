"""A record in the words of metadata standards, and back."""
