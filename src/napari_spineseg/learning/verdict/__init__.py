"""Whether a candidate is better than its parent and harms nothing, and the version that it becomes."""
