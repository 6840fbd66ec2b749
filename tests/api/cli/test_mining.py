"""What everybody can read of those who mine at a node."""

from ledger.address import encode_address
from tests.api.cli.conftest import Terminal
from tests.support.pool_without_port import add_pool
from tests.support.stratum_world import ALICE
from tests.support.wallet_node import WalletNode


def test_miners_blocks_and_shares(node: WalletNode, terminal: Terminal) -> None:
    assert terminal.read("chain", "miners")["port"] is None
    assert "(none)" in terminal.run("chain", "mined") and terminal.read("chain", "shares")["items"] == []
    node.mine(2)
    found = add_pool(node.chain.node)
    shown = found.hash[::-1].hex()
    alice = encode_address(node.chain.params.address_prefix, ALICE.address)
    assert terminal.read("chain", "miners")["claims"][0]["address"] == alice
    assert shown in terminal.run("chain", "mined") and alice in terminal.run("chain", "shares")
    assert [item["hash"] for item in terminal.read("chain", "mined", "--limit", 1)["items"]] == [shown]
    (claim,) = terminal.read("chain", "mined", shown)["claims"]
    assert (claim["address"], claim["shares"], claim["amount"]) == (alice, 1, 5_000)
    assert alice in terminal.run("chain", "mined", shown)
    assert terminal.read("chain", "shares", "--from", 1)["items"][0]["worker"] == "rig-1"
    assert "mined_block.unknown" in terminal.fail("chain", "mined", "00" * 32)
    assert "64 hexadecimal" in terminal.fail("chain", "mined", "xyz", expect=2)
