"""The tasks of development: ``pip install -e ".[dev]"``, then ``nox`` for all but the slow ones, or ``nox -s types``.

They run in the environment that nox is installed in. ``.ci/run`` calls each of them.
"""

from __future__ import annotations

import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = True


def _python(session: nox.Session, *arguments: str, **variables: str) -> None:
    """Run a module with the interpreter of nox, which is the one of the environment."""
    session.run(sys.executable, "-m", *arguments, env=variables, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style and the format of the code."""
    _python(session, "ruff", "check", ".")
    _python(session, "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, with both checkers."""
    _python(session, "mypy")
    _python(session, "pyright", "--pythonpath", sys.executable)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; ``nox -s tests -- -m slow`` runs the slow ones."""
    _python(session, "pytest", "-q", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into ``site/``. A warning is an error."""
    _python(session, "zensical", "build", "--strict", "--clean")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks; ``nox -s bench -- --quick`` takes about a minute."""
    _python(session, "benchmarks", *session.posargs)


@nox.session
def dist(session: nox.Session) -> None:
    """Build the sdist and the wheel into ``dist/``, or another directory, and check them.

    They are built a second time from the sdist, and must be the same bytes.
    """
    folder = Path(*session.posargs[:1] or ["dist"]).resolve()
    for old in folder.glob("linq_async-*"):
        old.unlink()
    committed = session.run("git", "log", "-1", "--format=%ct", external=True, silent=True, log=False)
    moment = {"SOURCE_DATE_EPOCH": str(committed).strip()}
    _python(session, "build", "--outdir", str(folder), ".", **moment)
    names = sorted(path.name for path in folder.glob("linq_async-*"))
    built = [str(folder / name) for name in names]
    with tempfile.TemporaryDirectory() as again:
        shutil.unpack_archive(next(one for one in built if one.endswith(".tar.gz")), again, filter="data")
        (tree,) = Path(again).iterdir()
        _python(session, "build", "--outdir", f"{again}/dist", str(tree), **moment)
        equal, *different = filecmp.cmpfiles(folder, f"{again}/dist", names, shallow=False)
    if sorted(equal) != names or len(names) != 2:
        session.error(f"the build is not reproducible: {different}")
    _python(session, "twine", "check", "--strict", *built)
    _python(session, "check_wheel_contents", *(one for one in built if one.endswith(".whl")))
