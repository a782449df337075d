"""Print the dependencies of the core and of the named extras at the lowest versions that pyproject.toml allows."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
extras = [requirement for extra in sys.argv[2:] for requirement in project["optional-dependencies"][extra]]
for requirement in (*project["dependencies"], *extras):
    print(requirement.partition(";")[0].strip().replace(">=", "=="))
