"""Finished volumes put together: where they lie in each other, their grey levels, one volume out of them."""
