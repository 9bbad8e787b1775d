"""NeXus: NXtomo and its kin, and maps."""
