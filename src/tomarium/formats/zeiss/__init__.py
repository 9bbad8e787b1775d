"""Files of Zeiss Xradia microscopes."""
