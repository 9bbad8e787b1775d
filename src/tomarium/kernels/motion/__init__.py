"""How the sample moved in the course of a scan: images registered, models of motion, points followed, re-projection."""
