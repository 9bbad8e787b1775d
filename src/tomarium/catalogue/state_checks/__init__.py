"""Checks of a catalogue's state: one module a theme, each finds what a stopped program can have left half done."""
