"""How fast the library is, as ratios to baselines measured in the same run: ``python -m benchmarks``."""
