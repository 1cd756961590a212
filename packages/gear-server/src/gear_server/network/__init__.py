"""Moves bytes between sockets and the engine on an asyncio loop."""
