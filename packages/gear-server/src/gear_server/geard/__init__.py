"""The program geard: options, files, signals, logs, and its place in an operating system."""
