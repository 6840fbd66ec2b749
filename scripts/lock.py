"""Writes requirements.lock, requirements-dev.lock and requirements-spark.lock anew from pyproject.toml.

Run it after a change of the dependencies, with an installed `uv` or without: it makes a throwaway environment for one.
`--upgrade` takes the newest versions; without it what is locked stays where it can.

requirements.lock        base, miner, demo, report and personalization, with the build backend: what `scripts/run.py` installs
requirements-dev.lock    the same versions, and the tools for tests: what `scripts/test.py` installs
requirements-spark.lock  the same versions again, and Spark: what `scripts/test.py --spark` installs

All hold for every Python that `requires-python` allows and every platform, carry the hash of each file, and name no index.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
SPARK_LOCK = "requirements-spark.lock"
PYTHON_OLDEST = "3.11"
EXTRAS = ("miner", "demo", "report", "personalization")


def find_uv(folder: Path) -> str:
    """The uv on the path, or one installed into a throwaway environment in `folder`."""
    found = shutil.which("uv")
    if found is not None:
        return found
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
    return str(programs / "uv")


def compile_lock(uv: str, lock: str, *selection: str, upgrade: bool) -> None:
    """Resolve the dependencies that `selection` names and write them to `lock`."""
    command = [uv, "pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--no-emit-index-url"]
    command += ["--python-version", PYTHON_OLDEST, "--custom-compile-command", "python3 scripts/lock.py", "--quiet"]
    command += ["--no-config", "--output-file", lock, *selection, *(["--upgrade"] if upgrade else [])]
    subprocess.run(command, check=True, cwd=ROOT)
    pins = sum("==" in line and not line.startswith("#") for line in (ROOT / lock).read_text().splitlines())
    print(f"{lock}: {pins} packages")


def main() -> None:
    """Write the locks, each constrained to the versions of the one before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uv = find_uv(Path(folder))
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        base = [*extras, "--group", "build"]
        compile_lock(uv, RUN_LOCK, *base, upgrade=options.upgrade)
        tests = [*base, "--group", "dev"]
        compile_lock(uv, DEV_LOCK, *tests, "--constraints", RUN_LOCK, upgrade=options.upgrade)
        compile_lock(uv, SPARK_LOCK, *tests, "--extra", "spark", "--constraints", DEV_LOCK, upgrade=options.upgrade)


if __name__ == "__main__":
    main()
