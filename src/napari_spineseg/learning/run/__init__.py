"""A run as a process of its own: how it is started, what it says and is told, what of it lies on disk."""
