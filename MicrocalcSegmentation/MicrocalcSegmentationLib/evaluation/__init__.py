"""Found against true: per MC, per cluster, per image and per pixel."""
