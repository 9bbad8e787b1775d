"""Files in and out: each module holds one format."""
