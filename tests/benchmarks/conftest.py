"""Where the benchmarks are: beside the tests in a checkout, and nowhere where the wheel is tested."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

if (ROOT / "benchmarks" / "__main__.py").exists():
    sys.path.append(str(ROOT))  # at the end: an installed package stays what is tested
else:
    collect_ignore_glob = ["test_*.py"]
