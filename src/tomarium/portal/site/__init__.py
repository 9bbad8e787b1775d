"""The open part of a catalogue as files: the portal's own pages, for a plain web server or a USB stick."""
