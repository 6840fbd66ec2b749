"""The virtual environment `.venv` of this checkout: made from a lock file, checked by hash, reused while nothing changed.

`scripts/run.py` asks for RUN, `scripts/test.py` for DEV, `scripts/test.py --spark` for SPARK. All are one environment: DEV holds
the same versions as RUN and more, SPARK as DEV, so that a product that runs is not disturbed when the tests add their tools.
A stamp inside tells which lock was installed completely.
Standard library only: this runs before anything is installed.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
PROGRAMS = FOLDER / ("Scripts" if sys.platform == "win32" else "bin")
PYTHON = PROGRAMS / ("python.exe" if sys.platform == "win32" else "python")
STAMP = FOLDER / "fansumer-stamp.json"
LOG = FOLDER / "fansumer-install.log"
PYTHON_NEWEST_TESTED = (3, 14)

ALIVE_INTERVAL_SECONDS = 5
LOG_LINES_SHOWN_MAX = 20


@dataclass(frozen=True)
class Level:
    """What an environment can be asked for. `holds` names the levels that are complete when this one is."""

    name: str
    lock: Path
    holds: tuple[str, ...]


RUN = Level("run", ROOT / "requirements.lock", ("run",))
DEV = Level("dev", ROOT / "requirements-dev.lock", ("run", "dev"))
SPARK = Level("spark", ROOT / "requirements-spark.lock", ("run", "dev", "spark"))


class SetUpError(Exception):
    """The environment could not be made. The text says what to do."""


def prepare_environment(level: Level) -> Path:
    """Make `.venv` hold `level` and return its Python. At once when it already does."""
    with exclusive_lock(ROOT / ".venv.lock"):
        stamp = read_stamp()
        wanted = lock_digest(level)
        if stamp.get(level.name) == wanted:
            return PYTHON
        started = time.monotonic()
        if sys.version_info[:2] > PYTHON_NEWEST_TESTED:
            newest = ".".join(str(part) for part in PYTHON_NEWEST_TESTED)
            say(f"note: tried with Python 3.11 to {newest}; this is {sys.version.split()[0]}")
        if not stamp:
            create_environment()
        STAMP.unlink(missing_ok=True)
        install_lock(level)
        install_checkout()
        kept = {name: digest for name, digest in stamp.items() if name in LEVEL_BY_NAME and digest_holds(name, digest)}
        write_stamp(kept | {name: lock_digest(LEVEL_BY_NAME[name]) for name in level.holds})
        say(f"environment ready after {time.monotonic() - started:.0f} s")
    return PYTHON


LEVEL_BY_NAME = {level.name: level for level in (RUN, DEV, SPARK)}


def say(text: str) -> None:
    """One line of progress, at once also through a pipe."""
    print(f"[set-up] {text}", flush=True)


def lock_digest(level: Level) -> str:
    """What the environment depends on, as one hash: the lock and the project's own metadata."""
    content = level.lock.read_bytes() + b"\0" + (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(content).hexdigest()


def digest_holds(name: str, digest: str) -> bool:
    """Whether what was installed for level `name` is what its lock asks for now."""
    return digest == lock_digest(LEVEL_BY_NAME[name])


def identity() -> dict[str, str]:
    """What an environment is bound to: the interpreter it was made with, and its own place."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    return {"python": f"{sys.implementation.name} {version}", "folder": str(FOLDER)}


def read_stamp() -> dict[str, str]:
    """Levels that are installed, with their digests, beside `identity()`; empty if `.venv` is missing, broken or another's."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stamp = {}
    if not PYTHON.exists() or not isinstance(stamp, dict):
        return {}
    return stamp if identity().items() <= stamp.items() else {}


def write_stamp(levels: dict[str, str]) -> None:
    """Record, in one step, that `levels` are completely installed."""
    draft = STAMP.with_suffix(".draft")
    draft.write_text(json.dumps(identity() | levels, indent=1), encoding="utf-8")
    draft.replace(STAMP)


def create_environment() -> None:
    """Make an empty `.venv` with pip in it, in place of whatever is there."""
    missing = [module for module in ("venv", "ensurepip") if importlib.util.find_spec(module) is None]
    if missing:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetUpError(
            f"this Python cannot make virtual environments: it lacks {' and '.join(missing)}.\n"
            f"On Debian or Ubuntu: sudo apt install python3-venv   (or python{version}-venv)"
        )
    say(f"making {FOLDER.name} with Python {sys.version.split()[0]}")
    if FOLDER.is_symlink() or FOLDER.is_file():
        raise SetUpError(f"{FOLDER} is in the way: move it elsewhere and start again.")
    if FOLDER.exists():
        say("replacing the one that is there: it is unfinished or of another Python")
        shutil.rmtree(FOLDER, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise SetUpError(
            f"python -m venv failed:\n{(made.stdout + made.stderr).strip()}\n"
            "On Debian or Ubuntu: sudo apt install python3-venv"
        )


def install_lock(level: Level) -> None:
    """Install every package of the lock; pip refuses a file whose hash is not in it."""
    packages = sum("==" in line for line in level.lock.read_text(encoding="utf-8").splitlines())
    say(f"installing about {packages} packages from {level.lock.name}, once; this takes a minute or two")
    run_pip(["install", "--require-hashes", "--no-compile", "-r", str(level.lock)])


def install_checkout() -> None:
    """Make this checkout importable and its `fansumer` command available, without a look at any index."""
    say("installing the checkout itself")
    run_pip(["install", "--no-index", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def run_pip(arguments: list[str]) -> None:
    """Run pip, its words into LOG, a sign of life on the terminal, and on failure what to do."""
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
        "--progress-bar",
        "off",
    ]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PIP_REQUIRE_VIRTUALENV": "0"}
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        )
        assert process.stdout is not None
        try:
            lines = follow_pip(process.stdout, log)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise SetUpError(explain_failure(lines))


def follow_pip(output: IO[str], log: IO[str]) -> list[str]:
    """Copy pip's output to `log` until it ends, saying every few seconds how far it is. Returns the lines."""
    arrived: queue.Queue[str | None] = queue.Queue()

    def read_lines() -> None:
        for line in output:
            arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read_lines, daemon=True).start()
    lines: list[str] = []
    collected, doing, said = 0, "looking up packages", time.monotonic()
    while True:
        with contextlib.suppress(queue.Empty):
            line = arrived.get(timeout=1)
            if line is None:
                return lines
            log.write(line)
            lines.append(line.rstrip())
            if line.startswith("Collecting "):
                collected += 1
                doing = f"package {collected}: {line.split()[1]}"
            elif line.startswith("Installing collected packages"):
                doing = f"unpacking {collected} packages"
        if time.monotonic() - said >= ALIVE_INTERVAL_SECONDS:
            said = time.monotonic()
            say(doing)


def explain_failure(lines: list[str]) -> str:
    """What went wrong and what to do, from pip's last words."""
    text = "\n".join(lines)
    shown = "\n".join([line for line in lines if line.startswith("ERROR")][-LOG_LINES_SHOWN_MAX:])
    shown = shown or "\n".join(lines[-LOG_LINES_SHOWN_MAX:])
    if "DO NOT MATCH THE HASHES" in text or "Hashes are required" in text:
        advice = (
            "A downloaded file is not the one that was locked. Nothing of it was installed. Clear pip's cache "
            "(python3 -m pip cache purge) and start again;\nif it stays so, do not trust that package source."
        )
    elif "No space left" in text:
        advice = (
            "The disk is full: the environment needs about 1.5 GB, and 2 with Spark. Free some space and start again."
        )
    elif any(
        sign in text for sign in ("NewConnectionError", "Name or service", "ConnectTimeout", "ProxyError", "SSLError")
    ):
        advice = "The package index cannot be reached: check the network (or pip's proxy settings) and start again."
    elif "No matching distribution" in text or "from versions: none" in text:
        advice = "A package was not found: is the network there, and is there a build for this Python and system?"
    else:
        advice = "Start again; if it fails the same way, delete the folder .venv first."
    return f"pip failed:\n{shown}\n\n{advice}\nEverything that pip said is in {LOG.relative_to(ROOT)}."


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold `path` for this process alone, so that two set-ups at once do the work one after the other."""
    with path.open("a+b") as file:
        if not try_lock(file):
            say("waiting for another set-up of this checkout to end")
            while not try_lock(file):
                time.sleep(0.2)
        yield  # Closing the file lets go of it, also when the process is killed.


def try_lock(file: IO[bytes]) -> bool:
    """Take the system's lock on `file`; False while another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
