"""Simulated scans whose truth is known: a specimen, an honest beam and an honest detector."""

from tomarium.synth.config import SimulationConfig, Truth, truth
from tomarium.synth.frames import frames
from tomarium.synth.scan import simulate, simulated
from tomarium.synth.series import series
from tomarium.synth.specimen import specimen

__all__ = ["SimulationConfig", "Truth", "frames", "series", "simulate", "simulated", "specimen", "truth"]
