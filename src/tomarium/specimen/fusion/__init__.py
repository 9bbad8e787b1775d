"""Fusion: phases of flat maps are learned and told of every voxel of a volume, with a probability that holds."""
