"""The processes that share a training step, and how they do without locks."""
