"""The portal: the catalogue as web pages and as JSON."""
