"""The steps of scripts/test.py: one that hangs is ended with all that it started, and says where it was."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.node.watching import is_gone, wait_until

ROOT = Path(__file__).resolve().parents[2]
HANGS = """
import faulthandler, subprocess, sys, time
faulthandler.enable()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)

def wait_for_what_never_comes():
    time.sleep(600)

wait_for_what_never_comes()
"""


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """The script; its name is that of a package of Python's own."""
    spec = importlib.util.spec_from_file_location("test_runner", ROOT / "scripts" / "test.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_step_that_hangs_is_ended_and_says_where_it_was(
    runner: ModuleType, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    step = runner.Step("waiting for ever", (sys.executable, str(tmp_path / "hangs.py")), 3.0)
    outcome = runner.run_step(step, dict(os.environ))
    shown = capfd.readouterr()
    assert not outcome.passed
    assert "waiting for ever: not done after 3 s" in shown.out
    assert "in wait_for_what_never_comes" in shown.err
    child = int(shown.out.split("child ")[1].split()[0])
    wait_until(lambda: is_gone(child))


@pytest.mark.parametrize(("code", "passed"), [(0, True), (3, False)])
def test_a_step_passes_by_its_exit_code(runner: ModuleType, code: int, passed: bool) -> None:
    step = runner.Step("short", (sys.executable, "-c", f"raise SystemExit({code})"))
    assert runner.run_step(step, dict(os.environ)).passed is passed


def test_every_step_has_an_end(runner: ModuleType) -> None:
    steps = [*runner.check_steps(), *runner.pytest_steps(False, 1, []), *runner.pytest_steps(True, 1, [])]
    assert all(0 < step.seconds_max <= 60 * 60 for step in [*steps, *runner.spark_steps(1, [])])
    assert {step.seconds_max for step in steps if "pytest" in step.command[0]} == {runner.TESTS_SECONDS_MAX}
