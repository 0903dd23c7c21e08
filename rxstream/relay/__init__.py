"""One log, two ends: publish and follow (not built yet)."""
