"""What the transport lets in and lets wait."""

from pathlib import Path

import pytest

from node.errors import NodeError
from node.p2p.websocket import Gate, WebSocketTransport


def test_a_gate_counts_all_and_those_of_one_host() -> None:
    gate = Gate(total_max=3, per_host_max=2)
    assert [gate.enter(b"a"), gate.enter(b"a"), gate.enter(b"a")] == [True, True, False]
    gate.leave(b"a")
    assert gate.enter(b"b") and not gate.enter(b"c")
    for host in (b"a", b"a", b"b", b"c"):
        gate.leave(host)
    assert gate.enter(b"a") and gate.refused == 2


def test_a_certificate_that_is_none_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(NodeError) as caught:
        WebSocketTransport(None, tls=(tmp_path / "a", tmp_path / "b"))  # type: ignore[arg-type] - it never gets that far
    assert caught.value.code.name == "p2p.tls"
