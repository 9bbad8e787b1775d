"""Slabs shared out to job arrays of SLURM."""
