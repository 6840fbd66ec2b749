"""How safe a transaction is, as a person reads it at a terminal: on a chain without attestors, and until it is final."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import time_machine

from api.cli import session
from api.wallet.client import Client
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.attested import INTERVAL, attestors
from tests.support.attested_shop import justify_next
from tests.support.wallet_node import WalletNode, open_wallet_node

Opens = Callable[[str], Terminal]


@pytest.fixture
def attested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WalletNode]:
    """The same as `node`, with four attestors."""
    params = {"attestors": attestors(0, 1, 2, 3), "checkpoint_interval_blocks": INTERVAL}
    with open_wallet_node(tmp_path / "node", **params) as found:

        @contextmanager
        def connect(url: str) -> Iterator[Client]:
            yield found.client

        monkeypatch.setattr(session, "connect", connect)
        yield found


def test_without_attestors(node: WalletNode, terminal_of: Opens) -> None:
    owner, till = terminal_of("owner"), terminal_of("till")
    address = till.read("wallet", "addresses")[0]["address"]
    sent = owner.read("wallet", "send", address, 5_000, "--no-wait")
    assert sent["says"] == "It waits for a block: nothing stands on it yet, and undoing it costs nothing."
    shown = owner.read("wallet", "send", address, 5_000)
    assert shown["says"].startswith("In the chain, 1 block deep; reversing it now would cost less than a cent (US)")
    assert "nothing is ever final" in owner.run("chain", "tx", sent["txid"])
    node.mine(2)
    found = owner.read("chain", "tx", sent["txid"])
    assert (found["confirmations"], found["justified"], found["final"]) == (3, None, None)
    assert found["reversal"]["rent_price_cents"] == 5_000
    printed = owner.run("wallet", "history")
    assert "how safe" in printed.splitlines()[0] and "3 blocks deep" in printed


def test_until_it_is_final(attested: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    buy(till, program, enrol(till, fan, program), 10_000, attested)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    reward = owner.read("brand", "list-reward", program, "Bread", "--price", 100)["reward"]
    with time_machine.travel(attested.chain.clock.now(), tick=False):
        assert "once it is final" in owner.run("brand", "hand-out", program, "final")
    redeemed = fan.read("wallet", "redeem", program, reward)
    history = ("wallet", "history", "--program", program, "--limit", 1)
    tell = ("chain", "tx", redeemed["txid"])
    assert redeemed["says"].endswith("The shop hands it out once it is final; now it is 1 block deep.")
    assert "neither justified nor final yet" in fan.run(*tell)
    assert "not safe" not in fan.run(*history) and "1 block deep" in fan.run(*history)
    justify_next(attested.chain)
    assert "would have to turn against what they signed" in fan.run(*tell)
    assert "blocks deep, justified" in fan.run(*history)
    assert till.read("brand", "redemptions", program, "--ready") == []
    justify_next(attested.chain)
    assert "In the chain, final. It could be undone only if at least 2 attestors of 4" in fan.run(*tell)
    assert " final " in fan.run(*history)
    assert fan.read("wallet", "redemption", redeemed["hold"])["standing"] == "settled"
    assert [found["id"] for found in till.read("brand", "redemptions", program, "--ready")] == [redeemed["hold"]]
