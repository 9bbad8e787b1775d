"""Volumes on another grid."""
