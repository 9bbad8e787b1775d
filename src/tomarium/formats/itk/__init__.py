"""NRRD and MetaImage, the volumes of ITK and 3D Slicer."""
