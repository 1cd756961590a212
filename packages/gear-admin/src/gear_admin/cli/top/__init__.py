"""``gear-admin top``: a live view of functions, workers and servers."""
