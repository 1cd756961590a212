"""How fast geard, the client and the worker are, beside their peers; see README.md."""
