"""The documented `Server` that programs embed and subclass, under the names of 0.16."""
