"""Sets up and runs everything that proves the project, and says in a table what passed and how long it took.

    python3 scripts/test.py                    everything
    python3 scripts/test.py --fast             at most two minutes: no slow tests, no coverage
    python3 scripts/test.py --spark            that Spark computes what DuckDB computes: installs Spark (0.5 GB) first, needs Java
    python3 scripts/test.py --seed 7           the order and the examples of an earlier run
    python3 scripts/test.py -k codec -x        other arguments go to pytest, which then runs once, without coverage

Exits 0 if everything passed, otherwise 1. What hangs is ended: a test after the time in pyproject.toml, with its stacks, and
a whole step after the time that stands here. Needs Python 3.11 or newer and, the first time, a network.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "the tests need Python 3.11 or newer; this is %s. Start them as: python3.11 scripts/test.py"
        % sys.version.split()[0]
    )

import argparse
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from environment import DEV, PROGRAMS, ROOT, SPARK, SetUpError, prepare_environment

WORKERS = 2
FUNCTIONAL = "tests/functional"
SPARK_TESTS = "tests/spark"
CHECK_SECONDS_MAX = 15 * 60
"""How long a check may take: pyright, the slowest, takes one minute, and a few on a loaded machine."""
TESTS_SECONDS_MAX = 55 * 60
"""How long one run of pytest may take: about twice what the slowest takes on two loaded cores."""
SPARK_SECONDS_MAX = 12 * 60
"""How long the tests on Spark may take: seven minutes were seen on two cores that twenty other processes wanted, too."""
LAST_WORDS_SECONDS = 10
"""What processes that are ended have to say where they are, before they are killed."""


@dataclass(frozen=True)
class Step:
    """One thing to run: a name for the table, its command, and when it must have ended."""

    name: str
    command: tuple[str, ...]
    seconds_max: float = CHECK_SECONDS_MAX


@dataclass(frozen=True)
class Outcome:
    """How a step ended, after how long."""

    name: str
    passed: bool
    seconds: float


def program(name: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a tool that is installed in the environment."""
    suffix = ".exe" if sys.platform == "win32" else ""
    return (str(PROGRAMS / f"{name}{suffix}"), *arguments)


def check_steps() -> list[Step]:
    """What is proved without running the product."""
    return [
        Step("lint", program("ruff", "check", ".")),
        Step("format", program("ruff", "format", "--check", ".")),
        Step("types", program("pyright", "--warnings")),
        Step("import contracts", program("lint-imports", "--no-cache")),
        Step("dependencies", program("deptry", "--no-ansi", ".")),
    ]


FAST_TESTS = ("tests/ledger", "tests/properties", "tests/node/mempool", "tests/test_tidy.py")
"""What `--fast` runs besides the checks: the law, its properties, and what waits for it; under two minutes on two cores."""


def tests(name: str, *arguments: str) -> Step:
    """One run of pytest."""
    return Step(name, program("pytest", *arguments), TESTS_SECONDS_MAX)


def pytest_steps(fast: bool, seed: int, extra: list[str]) -> list[Step]:
    """The tests: one run when they are chosen by the caller, otherwise those of one process first, with the ledger's coverage."""
    common = ("-n", str(WORKERS), f"--randomly-seed={seed}", f"--hypothesis-seed={seed}")
    if extra or fast:
        chosen = ("-m", "not slow", *(() if extra else FAST_TESTS)) if fast else ()
        return [tests("tests", *common, *chosen, *extra)]
    coverage = ("--cov=ledger", "--cov-branch", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100")
    ignored = (f"--ignore={FUNCTIONAL}", f"--ignore={SPARK_TESTS}")
    steps = [tests("unit and property tests", *common, *coverage, *ignored)]
    if any((ROOT / FUNCTIONAL).rglob("test_*.py")):
        steps.append(tests("functional tests", *common, FUNCTIONAL))
    return steps


def spark_steps(seed: int, extra: list[str]) -> list[Step]:
    """What Spark computes, in one process: Spark itself takes two cores."""
    command = program("pytest", "-n", "0", f"--randomly-seed={seed}", f"--hypothesis-seed={seed}", SPARK_TESTS, *extra)
    return [Step("features on Spark", command, SPARK_SECONDS_MAX)]


def find_java() -> str | None:
    """The Java that Spark would take: of JAVA_HOME, otherwise the one on the path."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java" if home is None else Path(home) / "bin" / "java")


def run_step(step: Step, environment: dict[str, str]) -> Outcome:
    """Run one step, its output passing through. All that it started is gone afterwards, and it never takes longer than it may."""
    print(f"\n=== {step.name}", flush=True)
    started = time.monotonic()
    process = subprocess.Popen(step.command, cwd=ROOT, env=environment, start_new_session=True)
    code: int | None = None
    try:
        code = process.wait(step.seconds_max)
    except subprocess.TimeoutExpired:
        print(
            f"\n=== {step.name}: not done after {step.seconds_max:.0f} s; it is ended, and its processes say where they are",
            flush=True,
        )
        end_group(process, signal.SIGABRT)  # pytest's processes answer it with the stacks of their threads
    except KeyboardInterrupt:
        end_group(process, signal.SIGINT)
        raise
    finally:
        end_group(process, None)
    return Outcome(step.name, code == 0, time.monotonic() - started)


def end_group(process: "subprocess.Popen[bytes]", asked: signal.Signals | None) -> None:
    """End a process and all that it started: asked by a signal if one is given, then killed."""
    if asked is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, asked)
        with suppress(subprocess.TimeoutExpired):
            process.wait(LAST_WORDS_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def print_summary(outcomes: list[Outcome], seed: int) -> None:
    """The table at the end."""
    width = max(len(outcome.name) for outcome in outcomes)
    print("\n=== summary")
    for outcome in outcomes:
        print(f"{outcome.name:<{width}}  {'ok' if outcome.passed else 'FAILED':<6}  {outcome.seconds:7.1f} s")
    total = sum(outcome.seconds for outcome in outcomes)
    print(f"{'all':<{width}}  {'ok' if all(o.passed for o in outcomes) else 'FAILED':<6}  {total:7.1f} s")
    print(f"seed {seed}: repeat this order and these examples with --seed {seed}", flush=True)


def main(arguments: list[str]) -> int:
    """Prepare the environment, run each step in turn, whatever failed before it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--fast", action="store_true", help="leave out what is slow: at most two minutes")
    parser.add_argument("--spark", action="store_true", help="only what Spark computes: needs Java 17 or 21")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of an earlier run")
    options, extra = parser.parse_known_args(arguments)
    if options.spark and find_java() is None:
        print(
            "error: Spark runs on Java, and there is none. Debian, Ubuntu: apt-get install openjdk-17-jre-headless",
            file=sys.stderr,
        )
        return 1
    try:
        prepare_environment(SPARK if options.spark else DEV)
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    environment = os.environ | {
        "HYPOTHESIS_PROFILE": "fast" if options.fast else "full",
        # pyright would ask a registry for a newer release of itself.
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        "PYTHONUTF8": "1",
    }
    if options.spark:
        steps = spark_steps(options.seed, extra)
    else:
        steps = [*check_steps(), *pytest_steps(options.fast, options.seed, extra)]
    outcomes = [run_step(step, environment) for step in steps]
    print_summary(outcomes, options.seed)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
