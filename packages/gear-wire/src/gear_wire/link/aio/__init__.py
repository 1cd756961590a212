"""Connections on an asyncio loop."""
