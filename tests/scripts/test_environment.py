"""The set-up: which environment is reused, which is replaced, and what a failure tells the person."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import environment
from environment import DEV, RUN, SPARK


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an empty environment, and no pip: installing is recorded in `calls.txt`."""
    folder = tmp_path / ".venv"
    folder.mkdir()
    for name, value in {
        "ROOT": tmp_path,
        "FOLDER": folder,
        "PYTHON": Path(sys.executable),
        "STAMP": folder / "stamp.json",
        "LOG": folder / "install.log",
    }.items():
        monkeypatch.setattr(environment, name, value)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    calls = tmp_path / "calls.txt"
    calls.touch()

    def record(text: str) -> None:
        with calls.open("a") as file:
            file.write(text + "\n")

    monkeypatch.setattr(environment, "create_environment", lambda: record("create"))
    monkeypatch.setattr(environment, "run_pip", lambda arguments: record(Path(arguments[-1]).name))
    return tmp_path


def calls(checkout: Path) -> list[str]:
    """What was done since the last look."""
    path = checkout / "calls.txt"
    done = path.read_text().split()
    path.write_text("")
    return done


def test_installs_once_then_reuses(checkout: Path) -> None:
    environment.prepare_environment(RUN)
    assert calls(checkout) == ["create", "requirements.lock", checkout.name]
    environment.prepare_environment(RUN)
    assert calls(checkout) == []


def test_tests_add_to_the_environment_of_the_product(checkout: Path) -> None:
    environment.prepare_environment(RUN)
    calls(checkout)
    environment.prepare_environment(DEV)
    assert calls(checkout) == ["requirements-dev.lock", checkout.name]
    environment.prepare_environment(RUN)
    assert calls(checkout) == []


def test_spark_adds_to_the_environment_of_the_tests(checkout: Path) -> None:
    environment.prepare_environment(DEV)
    calls(checkout)
    environment.prepare_environment(SPARK)
    assert calls(checkout) == ["requirements-spark.lock", checkout.name]
    environment.prepare_environment(DEV)
    environment.prepare_environment(RUN)
    assert calls(checkout) == []


def test_changed_project_installs_again_without_starting_over(checkout: Path) -> None:
    environment.prepare_environment(DEV)
    calls(checkout)
    (checkout / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    environment.prepare_environment(RUN)
    assert calls(checkout) == ["requirements.lock", checkout.name]
    assert "dev" not in json.loads(environment.STAMP.read_text())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"python": "cpython 2.7.18"}', "\x00"])
def test_environment_of_unknown_origin_is_replaced(checkout: Path, content: str) -> None:
    environment.STAMP.write_text(content)
    environment.prepare_environment(RUN)
    assert calls(checkout)[0] == "create"


def test_failed_installation_leaves_no_stamp(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> None:
        raise environment.SetUpError("no network")

    environment.prepare_environment(RUN)
    (checkout / "pyproject.toml").write_text("")
    monkeypatch.setattr(environment, "run_pip", fail)
    with pytest.raises(environment.SetUpError):
        environment.prepare_environment(RUN)
    assert environment.read_stamp() == {}


def test_second_set_up_waits_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    attempt = "import sys, environment; print(environment.try_lock(open(sys.argv[1], 'a+b')))"
    command = [sys.executable, "-c", attempt, str(path)]
    scripts = Path(environment.__file__).parent
    with environment.exclusive_lock(path):
        held = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True, timeout=60)
    freed = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True, timeout=60)
    assert (held.stdout.strip(), freed.stdout.strip()) == ("False", "True")


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not the one that was locked"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "check the network"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "was not found"),
        ("something else", "delete the folder .venv"),
    ],
)
def test_failure_says_what_to_do(checkout: Path, output: str, advice: str) -> None:
    explained = environment.explain_failure([output])
    assert output in explained
    assert advice in explained
