"""Mutation testing of the ledger's domains with mutmut, by the unit tests of each domain alone. It is no part of scripts/test.py.

    pip install --target FOLDER mutmut
    .venv/bin/python scripts/mutate.py --mutmut FOLDER                          every domain
    .venv/bin/python scripts/mutate.py consent accounts --mutmut FOLDER         these
    .venv/bin/python scripts/mutate.py accounts --only transfer --mutmut FOLDER a module of it, or `transfer.x_apply*`

mutmut changes one thing at a time in the functions of `ledger/domains/<domain>/` (a comparison, a number, an argument, a name) and
runs those tests in `tests/ledger/domains/<domain>/` that reach the function. A change that no test notices is a survivor. What
stands outside of functions (shapes, limits, tables of kinds) it does not change.

It prints each survivor that is not explained in `tests/ledger/domains/MUTANTS.md`, in the form in which it would stand there, and a
table. Work is done in a copy of the tree. Exit status: 0 where at least 85 % of each domain's mutants were noticed and the rest is
explained, 1 where not, 2 where it could not run. It needs an operating system that can fork. All domains take an hour on one core.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = ROOT / "ledger" / "domains"
TESTS = Path("tests", "ledger", "domains")
EXPLAINED = ROOT / TESTS / "MUTANTS.md"
COPIED = ("ledger", "node", "api", "scripts", "tests", "pyproject.toml", "README.md")
NOTICED_LEAST = 0.85
NOTICED = ("killed", "timeout", "segfault", "caught by type check")
"""A change after which tests do not come to their end is noticed, too."""

STARTER = "import sys; sys.path.append(sys.argv.pop(1)); from mutmut.__main__ import cli; cli()"
"""mutmut comes last on the path, so that the project's own pytest runs the tests."""
SETTINGS = """[mutmut]
source_paths=ledger
only_mutate=ledger/domains/{domain}/*
also_copy=
  node
  api
  scripts
pytest_add_cli_args_test_selection={tests}
pytest_add_cli_args=
  -n0
  --no-cov
  -p
  no:randomly
  -p
  no:cacheprovider
"""
RESULT = re.compile(r"^ {4}(?P<name>ledger\.\S+): (?P<status>[a-z ]+)$", re.MULTILINE)


class CannotRunError(Exception):
    """The text says why."""


class Change(NamedTuple):
    """One mutant: the file within `ledger/domains`, the lines that it takes away and those that it puts there."""

    file: str
    taken: tuple[str, ...]
    put: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*(f"-{line}" for line in self.taken), *(f"+{line}" for line in self.put)])


class Outcome(NamedTuple):
    """What became of a domain's mutants: how many of each status, and those that survived."""

    domain: str
    statuses: Counter[str]
    survivors: list[Change]

    @property
    def noticed(self) -> int:
        """How many the tests noticed."""
        return sum(self.statuses[status] for status in NOTICED)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.statuses.total()


def read_change(file: str, lines: Sequence[str]) -> Change:
    """A change from the lines of a diff; indentation and context do not count."""
    taken = tuple(line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---"))
    put = tuple(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))
    return Change(file, taken, put)


def read_explained(text: str) -> Counter[Change]:
    """The changes in the diffs of the page: under headings that name a file, one change a block, blocks parted by empty lines."""
    found: Counter[Change] = Counter()
    file, block, within = "", list[str](), False
    for line in text.splitlines():
        if line.startswith("## "):
            file = line[3:].strip()
        if not within:
            within = line == "```diff"
            continue
        if line.strip() and line != "```":
            block.append(line)
        elif block:
            found[read_change(file, block)] += 1
            block = []
        within = line != "```"
    return found


def make_copy(folder: Path, domain: str) -> None:
    """A tree for mutmut to work in, with its settings."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(source, folder / name)
    (folder / "setup.cfg").write_text(SETTINGS.format(domain=domain, tests=(TESTS / domain).as_posix()))


def call_mutmut(folder: Path, packages: Path, *arguments: str) -> str:
    """One command of mutmut's in the copy; its standard output."""
    command = [sys.executable, "-c", STARTER, str(packages), *arguments]
    # The copy's code is what is tested, wherever the project is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRunError(f"mutmut {arguments[0]} failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    return done.stdout


def try_domain(domain: str, packages: Path, only: str | None, processes: int) -> Outcome:
    """Make the domain's mutants, run its tests on each, and gather what survived."""
    with tempfile.TemporaryDirectory(prefix="fansumer-mutants-") as made:
        folder = Path(made)
        make_copy(folder, domain)
        chosen = () if only is None else (f"ledger.domains.{domain}.{only}{'' if '*' in only else '.*'}",)
        call_mutmut(folder, packages, "run", "--max-children", str(processes), *chosen)
        results = RESULT.findall(call_mutmut(folder, packages, "results", "--all", "true"))
        tried = [(name, status) for name, status in results if status != "not checked"]
        survivors: list[Change] = []
        for name, status in tried:
            if status not in NOTICED:
                file = "/".join(name.split(".")[2:4]) + ".py"
                shown = call_mutmut(folder, packages, "show", name)
                survivors.append(read_change(file, shown.splitlines()))
    if not tried:
        raise CannotRunError(f"there are no mutants of {domain}" + (f" in {only}" if only else ""))
    return Outcome(domain, Counter(status for _, status in tried), sorted(survivors))


def show_survivors(outcome: Outcome, explained: Counter[Change]) -> int:
    """Print what survived and is not explained; returns how many are explained."""
    left, missing = explained.copy(), list[Change]()
    for change in outcome.survivors:
        if left[change]:
            left[change] -= 1
        else:
            missing.append(change)
    file = ""
    for change in missing:
        if change.file != file:
            file = change.file
            print(f"\n## {file}")
        print(f"\n```diff\n{change}\n```")
    return len(outcome.survivors) - len(missing)


def show_table(outcomes: Sequence[tuple[Outcome, int]]) -> bool:
    """Print the counts; returns whether enough was noticed and the rest is explained."""
    print(f"\n{'domain':16}{'mutants':>8}{'killed':>8}{'timeout':>8}{'survived':>9}{'explained':>10}{'noticed':>9}")
    good = True
    for outcome, explained in outcomes:
        share = outcome.noticed / outcome.total
        ended = outcome.noticed - outcome.statuses["killed"]
        survived = len(outcome.survivors)
        good = good and share >= NOTICED_LEAST and explained == survived
        print(
            f"{outcome.domain:16}{outcome.total:>8,}{outcome.statuses['killed']:>8,}{ended:>8,}{survived:>9,}"
            f"{explained:>10,}{share:>9.1%}"
        )
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the domains one after the other and print what survived."""
    names = sorted(path.parent.name for path in DOMAINS.glob("*/__init__.py"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="*", metavar="domain", help=f"of {', '.join(names)}; all where none is named")
    parser.add_argument("--mutmut", type=Path, required=True, metavar="FOLDER", help="where pip put mutmut (--target)")
    parser.add_argument("--only", metavar="MODULE", help="only mutants of this module of the one domain that is named")
    parser.add_argument("--processes", type=int, default=1, help="tests that run at the same time (1)")
    options = parser.parse_args(arguments)
    try:
        if unknown := sorted(set(options.domains) - set(names)):
            raise CannotRunError(f"no such domain: {', '.join(unknown)}; there are {', '.join(names)}")
        if options.only and len(options.domains) != 1:
            raise CannotRunError("--only needs one domain")
        if options.processes < 1:
            raise CannotRunError("--processes must be at least 1")
        if not (options.mutmut / "mutmut").is_dir():
            raise CannotRunError(
                f"there is no mutmut in {options.mutmut}: pip install --target {options.mutmut} mutmut"
            )
        explained = read_explained(EXPLAINED.read_text(encoding="utf-8"))
        outcomes: list[tuple[Outcome, int]] = []
        for domain in options.domains or names:
            print(f"{domain} ...", flush=True)
            outcome = try_domain(domain, options.mutmut.resolve(), options.only, options.processes)
            outcomes.append((outcome, show_survivors(outcome, explained)))
    except CannotRunError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    return 0 if show_table(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
