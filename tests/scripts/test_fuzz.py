"""The fuzzer finds what is planted, says how to see it again, and ends in time."""

import re
import sys

import pytest

import fuzz
from ledger.errors import Code, Malformed
from tests.support.fuzz_targets import Target

REFUSED = Code("test.planted", "refused by a test", "Nothing.")


def read_badly(data: bytes) -> bytes:
    """Refuses most, breaks on a nil, loses an odd end."""
    if len(data) < 8:
        raise Malformed(REFUSED)
    if b"\xc0" in data[:8]:
        raise KeyError("planted")
    return data[: len(data) // 2 * 2]


PLANTED = Target("planted", read_badly, (bytes(range(32)),))


def test_planted_faults_are_found_and_can_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.fuzz([PLANTED], seconds=1.0, seed=7) >= 2
    shown = capsys.readouterr().out
    assert "FOUND planted: KeyError at test_fuzz.py" in shown
    assert "FOUND planted: AssertionError" in shown
    for number in re.findall(r"--seed 7 --target planted --case (\d+)", shown):
        data = fuzz.make_case(PLANTED, 7, int(number))
        assert fuzz.run_case(PLANTED, data)[1] is not None
        assert data == fuzz.make_case(PLANTED, 7, int(number))
    assert "seed 7" in shown.splitlines()[-1]


def test_a_run_over_all_targets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--seconds", "1", "--seed", "5"])
    assert fuzz.main() == 0
    assert "0 kinds of faults" in capsys.readouterr().out


def test_one_case_again(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--target", "header", "--case", "3"])
    assert fuzz.main() == 0
    assert "bytes: " in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--target", "nothing"], ["--case", "3"], ["--seconds", "x"]])
def test_what_can_not_be_meant(wrong: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz.py", *wrong])
    with pytest.raises(SystemExit) as stopped:
        fuzz.main()
    assert stopped.value.code == 2
