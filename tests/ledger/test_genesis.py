"""The block that everybody computes."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.block import Commitment, check_body_belongs, transaction_root
from ledger.coinbase import parse
from ledger.domains.accounts.state import Account, account_key
from ledger.errors import Malformed
from ledger.genesis import make_genesis
from ledger.hashing import COMMITMENT, sha256d
from ledger.merkle import EMPTY_ROOT
from ledger.networks import NETWORKS
from ledger.params import Params
from ledger.registry import KINDS, UNKNOWN_KIND
from ledger.supply import CHAIN_KEY, ChainRecord
from ledger.types import Amount, Hash
from tests.support.memory_chain import FUNDS, MemoryState, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND

PARAMS = sim_params(FAN.address, FRIEND.address)


@pytest.mark.parametrize("params", [*NETWORKS.values(), PARAMS], ids=lambda params: params.name)
def test_genesis_binds_the_params(params: Params) -> None:
    genesis = make_genesis(params)
    block = genesis.block
    commitment = check_body_belongs(block, params)
    assert commitment.chain_id == params.hash
    assert genesis.chain_id == block.hash
    assert block.header.time == params.genesis_time
    assert block.header.bits == params.eras[0][4]
    assert block.header.merkle_root == sha256d(block.coinbase)
    assert parse(block.coinbase).commitment == COMMITMENT(block.commitment_bytes)
    assert (commitment.height, commitment.payees, commitment.transaction_count) == (0, (), 0)
    assert commitment.slot_count == len(genesis.contents) == 1 + len(params.allocations)
    assert commitment.history_root == commitment.transaction_root == transaction_root(()) == EMPTY_ROOT
    assert commitment.state_root == MemoryState(genesis.contents).root()
    assert Commitment.decode(block.commitment_bytes) == commitment


def test_allocations_are_accounts_and_count_as_emission() -> None:
    genesis = make_genesis(PARAMS)
    state = MemoryState(genesis.contents)
    addresses = sorted([FAN.address, FRIEND.address])
    keys = [CHAIN_KEY, *(account_key(address) for address in addresses)]
    assert [(slot, key) for slot, key, _ in genesis.records] == list(enumerate(keys))
    chain: ChainRecord = state.chain
    assert chain.emitted == chain.accounts == 2 * FUNDS
    assert (chain.slot_count, chain.free_head, chain.maturing) == (3, 0, 0)
    assert state.record(account_key(FAN.address)) == Account(FUNDS, Hash(b""), Amount(0))


def test_two_params_are_two_chains() -> None:
    assert make_genesis(PARAMS).chain_id != make_genesis(replace(PARAMS, fee_rate_min=1)).chain_id
    assert len({make_genesis(params).chain_id for params in NETWORKS.values()}) == len(NETWORKS)


@pytest.mark.parametrize(
    "changes", [{"kinds": (*PARAMS.kinds, "zzz")}, {"kinds": ("account.close",)}, {"upgrades": (("zzz", 5),)}]
)
def test_params_that_name_an_unknown_kind_have_no_genesis(changes: dict[str, Any]) -> None:
    params = replace(PARAMS, **changes)
    names = (*params.kinds, *(name for name, _ in params.upgrades))
    with refused(UNKNOWN_KIND, Malformed, kind=next(name for name in names if name not in KINDS)):
        make_genesis(params)
