"""Observable to the world: loops, results, handlers."""
