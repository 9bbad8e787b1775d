"""Files that are still being written: read them as if they were closed, copy them, write them so.

`nodes` is one API for a closed file, a growing one, a mirrored copy and zarr; `mirror` keeps a copy that can
always be opened; `writer` writes files that can be read at any moment.
"""
