"""Slices of a milled or cut specimen, which drifted, laid on each other: one volume."""
