"""geard as a program, in processes of its own."""
