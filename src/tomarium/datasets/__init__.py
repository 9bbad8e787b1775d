"""Records as data sets for programs that learn: volumes read over HTTP, and patches of them."""
