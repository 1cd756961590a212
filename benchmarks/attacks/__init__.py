"""How well an innocent client and worker are served while others attack the server."""
