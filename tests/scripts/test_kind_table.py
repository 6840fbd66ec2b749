"""The table of kinds has no empty cell, and what it names is there."""

import subprocess
import sys
from pathlib import Path

import pytest

import kind_table
from kind_table import FACES, codes_in_order, codes_reached, events_of, missing
from ledger.registry import KINDS

SCRIPT = Path(kind_table.__file__)


def test_the_page_is_current_and_whole() -> None:
    # In a process of its own: other tests may have registered kinds, events or codes of their own in this one.
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_codes_and_events_are_read_off_the_rule() -> None:
    assert codes_in_order(KINDS["redeem.fulfil"])[0] == "redeem.unknown"
    assert {"redeem.not_listed", "points.insufficient"} <= codes_reached(KINDS["redeem"])
    assert "redeem.not_listed" not in codes_reached(KINDS["transfer"])
    assert [event.name for event in events_of(KINDS["redeem.cancel"])] == ["redeem.released"]


@pytest.mark.parametrize(
    ("face", "fault"),
    [
        (FACES["transfer"]._replace(read="GET /v1/nothing"), "`transfer`: there is no GET /v1/nothing"),
        (FACES["transfer"]._replace(command="wallet fly"), "`transfer`: there is no command wallet fly"),
        (
            FACES["transfer"]._replace(client="wallet.Wallet.fly"),
            "`transfer`: there is no api.wallet.wallet.Wallet.fly",
        ),
        (FACES["transfer"]._replace(client=""), "`transfer`: no client"),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, face: kind_table.Faces, fault: str) -> None:
    monkeypatch.setitem(FACES, "transfer", face)
    assert fault in list(missing())


def test_a_kind_without_a_row_of_its_own_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FACES, "redeem")
    assert "`redeem`: no command" in list(missing())
