"""The bench of messages works, and what changed counts in the very next answer: a server in a process of its own, over HTTP."""

import json
from pathlib import Path

from bench import show_messages
from bench_messages import measure_messages


def test_messages_are_measured_over_http(tmp_path: Path) -> None:
    answer = json.loads(json.dumps(measure_messages(tmp_path, 3, 1)))
    assert (answer["fans"], answer["receipts"]) == (3, 40)
    assert (answer["purchase_answers"], answer["revocation_answers"]) == (1, 1)
    assert answer["shown"] > 0 and 0 < answer["messages"]["p50_ms"] <= answer["messages"]["p99_ms"]
    targets = {row.name: row.target for row in show_messages(answer) if row.target is not None}
    assert targets == {
        "messages of 40 receipts, 99 %": 10,
        "purchase counts: in which answer": 1,
        "revocation counts: in which answer": 1,
    }
