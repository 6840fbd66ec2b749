"""What a person is shown of an answer."""

import pytest

from api.cli.output import print_answer


def test_times_are_shown_as_dates_and_counts_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    times = {"member_since": 1_795_000_000, "as_of": 1_795_000_000, "last_at": 1_795_000_000}
    print_answer({**times, "received_at": 7, "points": 1_795_000_000, "left_at": None}, as_json=False)
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {name: shown.pop(name) for name in times} == dict.fromkeys(times, "2026-11-18T11:06:40Z")
    assert shown == {"received_at": "7", "points": "1795000000", "left_at": "-"}
