"""Print the core dependencies at the lowest version that pyproject.toml allows, one a line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
for requirement in project["dependencies"]:
    print(requirement.replace(">=", "=="))
