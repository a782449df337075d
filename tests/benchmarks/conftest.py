"""Collect no tests if the benchmarks are missing, as they are when an installed wheel is tested."""

from pathlib import Path

if not (Path(__file__).parents[2] / "benchmarks" / "__main__.py").exists():
    collect_ignore_glob = ["test_*.py"]
