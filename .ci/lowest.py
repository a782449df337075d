"""Print the dependencies of the core and of the command line at the lowest versions that pyproject.toml allows."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
for requirement in (*project["dependencies"], *project["optional-dependencies"]["cli"]):
    print(requirement.partition(";")[0].strip().replace(">=", "=="))
