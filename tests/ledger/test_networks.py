"""The networks that come with the project."""

import pytest

from ledger.networks import ALL_KINDS, DEV_ERA, NETWORKS, SIM_ERA, private_params, replay_eras
from ledger.params import Allocation, Params
from ledger.pow import target_from_compact
from ledger.types import Amount, CompactBits, Height, Timestamp
from tests.support.shop import FAN, FRIEND


def test_four_networks_that_nobody_can_confuse() -> None:
    assert set(NETWORKS) == {"main", "test", "dev", "sim"}
    for facts in ("magic", "address_prefix", "hash"):
        assert len({getattr(params, facts) for params in NETWORKS.values()}) == 4


@pytest.mark.parametrize("params", NETWORKS.values(), ids=lambda params: params.name)
def test_every_network_runs_every_kind_and_half_lives_are_a_hundred_blocks(params: Params) -> None:
    assert params.kinds == ALL_KINDS
    era = params.era_at(Height(0))
    assert 60 <= era.half_life_s // era.block_time_s <= 120
    assert params.validity_blocks_max * max(era.block_time_s, 60) <= 86_400


def test_blocks_of_the_networks() -> None:
    times = {name: params.era_at(Height(0)).block_time_s for name, params in NETWORKS.items()}
    assert times == {"main": 60, "test": 60, "dev": 5, "sim": 60}
    retargets = {name: params.era_at(Height(0)).retarget for name, params in NETWORKS.items()}
    assert retargets == {"main": True, "test": True, "dev": True, "sim": False}
    easiest = target_from_compact(CompactBits(0x207FFFFF))
    assert NETWORKS["sim"].era_at(Height(0)).anchor_target == easiest
    assert NETWORKS["main"].era_at(Height(0)).limit_target < easiest >> 30


def test_a_private_chain_has_its_own_allocations() -> None:
    allocations = [Allocation(signer.address, Amount(5)) for signer in (FAN, FRIEND)]
    eras = replay_eras(100)
    for given in (allocations, allocations[::-1]):
        params = private_params(name="own", genesis_time=Timestamp(10**9), eras=eras, allocations=given)
        assert sorted(a.address for a in params.allocations) == [a.address for a in params.allocations]
        assert (params.name, params.allocated, params.eras) == ("own", 10, eras)


def test_a_replayed_chain_begins_as_sim_and_goes_on_as_dev() -> None:
    sim, dev = replay_eras(100)
    assert sim == SIM_ERA
    assert dev == (100, *DEV_ERA[1:])
