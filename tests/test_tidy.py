"""The house rules that no linter knows: lengths, names, the purity of the ledger, reasons beside exceptions, clean locks.

Each rule is a function over one file that returns what is wrong as lines `place: fault`, so that one run names all of it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
THIS_FILE = Path(__file__).resolve()
CODE_FOLDERS = ("ledger", "node", "api", "scripts")

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
TEXT_BYTES_MAX = 2**20

# A file is a noun that says what it holds; these could hold anything.
NAMES_FORBIDDEN = {"common", "helper", "helpers", "manager", "manager2", "misc", "util", "utils"}
FOLDERS_WITHOUT_SOURCE = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis", "node_modules"}

LEDGER_LIBRARIES = {"msgpack", "cryptography", "bech32m", "ledger"}
# Standard modules without clock, randomness, disk, socket, process, thread, log or floating point.
LEDGER_STANDARD_MODULES = {
    "abc",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "contextlib",
    "contextvars",
    "copy",
    "dataclasses",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "importlib",
    "inspect",
    "itertools",
    "operator",
    "re",
    "string",
    "struct",
    "types",
    "typing",
    "unicodedata",
    "__future__",
}
LEDGER_CALLS_FORBIDDEN = {"breakpoint", "eval", "exec", "float", "hash", "id", "input", "open", "print", "round"}

# A way around a check needs its reason: words after it, or a comment in the line above.
EXCEPTION = re.compile(
    r"#\s*(noqa|type:\s*ignore|pyright:\s*\w+|pragma:|fmt:\s*(off|skip))(?P<rest>.*)|"
    r"mark\.(skip|xfail)|pytest\.(skip|xfail|importorskip)\(|\bunittest\.skip"
)
REASON = re.compile(r"(-\s+|#\s+|reason=\W*)\w+(\W+\w+){2,}")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")

# Written in pieces, so that this file does not hold what it looks for.
PLACES_OF_ONE_MACHINE = re.compile(
    r"(?<![\w.~-])/(work|root|home|Users)" + r"/[\w.]" + r"|file:/" + r"//|[a-z]:\\\\Users", re.IGNORECASE
)
INDEX_HOSTS = re.compile(
    "pypi" + r"\.org|python" + r"hosted\.org|registry\.npm" + r"js|--(extra-)?index" + "-url|find-links" + "="
)


@cache
def source_files() -> tuple[Path, ...]:
    """Every file that is or would be in git; without git, every file outside caches."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = (
            subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout.decode().split("\0")
        )
        files = [ROOT / name for name in names if name]
    except (OSError, subprocess.SubprocessError):
        files = [path for path in ROOT.rglob("*") if not FOLDERS_WITHOUT_SOURCE & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in files if path.is_file()))


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files under the named folders of the root."""
    return tuple(p for p in source_files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in folders)


@cache
def text_of(path: Path) -> str:
    """The file's text; empty for what is no text, or too large to have been written by a person."""
    if path.stat().st_size > TEXT_BYTES_MAX:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree_of(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(text_of(path), filename=str(path))


def place(path: Path, line: int) -> str:
    """Where something is, as a terminal lets one click on."""
    return f"{path.relative_to(ROOT).as_posix()}:{line}"


def assert_none(faults: Iterator[str]) -> None:
    """Fail with all of the faults, one a line."""
    found = list(faults)
    assert not found, "\n" + "\n".join(found)


def test_source_is_found() -> None:
    assert len(python_files("ledger")) >= 3
    assert len(python_files("scripts")) >= 4


def test_functions_are_short() -> None:
    def faults() -> Iterator[str]:
        for path in python_files(*CODE_FOLDERS):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    if lines > FUNCTION_LINES_MAX:
                        yield f"{place(path, node.lineno)}: {node.name} has {lines} lines"

    assert_none(faults())


def test_files_are_short() -> None:
    def faults() -> Iterator[str]:
        for path in python_files(*CODE_FOLDERS):
            lines = len(text_of(path).splitlines())
            if lines > FILE_LINES_MAX:
                yield f"{place(path, 1)}: {lines} lines"

    assert_none(faults())


def test_files_have_names_that_say_something() -> None:
    assert_none(
        f"{place(path, 1)}: a name that could hold anything"
        for path in python_files(*CODE_FOLDERS, "tests")
        if NAMES_FORBIDDEN & set(path.relative_to(ROOT).with_suffix("").parts)
    )


def test_modules_and_classes_say_what_they_are() -> None:
    def faults() -> Iterator[str]:
        for path in python_files("ledger"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Module) and node.body and ast.get_docstring(node) is None:
                    yield f"{place(path, 1)}: no docstring"
                if isinstance(node, ast.ClassDef) and ast.get_docstring(node) is None:
                    yield f"{place(path, node.lineno)}: class {node.name} has no docstring"

    assert_none(faults())


def test_ledger_imports_nothing_impure() -> None:
    def faults() -> Iterator[str]:
        for path in python_files("ledger"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                else:
                    continue
                for name in names:
                    if name.split(".")[0] not in LEDGER_LIBRARIES | LEDGER_STANDARD_MODULES:
                        yield f"{place(path, node.lineno)}: ledger imports {name}"

    assert_none(faults())


def test_ledger_computes_with_integers_and_touches_nothing() -> None:
    def faults() -> Iterator[str]:
        for path in python_files("ledger"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
                    yield f"{place(path, node.lineno)}: floating point {node.value}"
                if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
                    yield f"{place(path, node.lineno)}: true division; use //"
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Name) and called.id in LEDGER_CALLS_FORBIDDEN:
                    yield f"{place(path, called.lineno)}: {called.id}() in the ledger"

    assert_none(faults())


def test_exceptions_from_checks_have_a_reason() -> None:
    def faults() -> Iterator[str]:
        for path in python_files(*CODE_FOLDERS, "tests"):
            lines = text_of(path).splitlines()
            for number, line in enumerate(lines, start=1):
                found = EXCEPTION.search(line)
                above = lines[number - 2].strip() if number > 1 else ""
                if (
                    found
                    and path != THIS_FILE
                    and not REASON.search(line, found.start())
                    and not above.startswith("# ")
                ):
                    yield f"{place(path, number)}: no reason beside {line.strip()}"

    assert_none(faults())


def test_nothing_is_left_for_later() -> None:
    assert_none(
        f"{place(path, number)}: {line.strip()}"
        for path in source_files()
        if path.suffix in {".py", ".md", ".toml", ".sh"}
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if UNFINISHED.search(line)
    )


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert_none(
        f"{place(path, number)}: {line.strip()[:120]}"
        for path in source_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if PLACES_OF_ONE_MACHINE.search(line) or INDEX_HOSTS.search(line)
    )


def pins_of(lock: str) -> dict[str, list[str]]:
    """Requirement line -> its hashes, from a lock file."""
    pins: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.lstrip().startswith("#"):
            current = pins.setdefault(line.rstrip(" \\"), [])
        elif line.strip().startswith("--hash=sha256:"):
            current.append(line.strip().rstrip(" \\"))
    return pins


def test_locks_carry_hashes_and_name_no_index() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-spark.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert not re.search(r"https?:|^-", text, re.MULTILINE), lock
        pins = pins_of(lock)
        assert len(pins) > 40
        assert all(pins.values()), [pin for pin, hashes in pins.items() if not hashes]


def test_each_environment_holds_the_one_before() -> None:
    product, tests = pins_of("requirements.lock"), pins_of("requirements-dev.lock")
    assert product.items() <= tests.items() <= pins_of("requirements-spark.lock").items()


def test_this_python_is_one_that_the_project_promises() -> None:
    assert sys.version_info >= (3, 11)
