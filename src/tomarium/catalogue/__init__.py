"""The index of records: tables, queries, ingest."""
