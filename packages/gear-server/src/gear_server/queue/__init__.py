"""The durable queue: what is kept of background jobs, and where."""
