"""The networks that come with the project, in one table (spec PAR-3). A private chain is a params file of its own.

`dev` is for one laptop: T = 5 s. `sim` retargets never and its work is trivial; its clock is the caller's. A replayed chain begins
with sim rules and goes on with dev rules (`replay_params`).
"""

from collections.abc import Iterable

from ledger.params import Allocation, Params
from ledger.registry import KINDS
from ledger.types import Amount, Timestamp

COIN = 100_000_000
"""Smallest units in one coin."""

EASIEST_BITS = 0x207FFFFF
"""A target that every other hash meets."""
MAIN_LIMIT_BITS = 0x1D00FFFF
"""Difficulty 1: 2**32 hashes a block, seconds of work for any SHA-256d miner."""
TEST_LIMIT_BITS = 0x1E00FFFF
"""2**24 hashes a block: a laptop's minute without a kernel."""
DEV_ANCHOR_BITS = 0x1F7FFFFF
"""2**9 hashes: where a dev chain begins before it finds its difficulty."""

ALL_KINDS = tuple(sorted(KINDS))

HALF_LIFE_BLOCKS = 100
"""Between 60 and 120 blocks: fast enough to follow a hundredfold fall, slow enough not to swing."""

Era = tuple[int, int, int, int, int, int]


def make_era(start_height: int, block_time_s: int, *, limit_bits: int, anchor_bits: int, retarget: bool) -> Era:
    """(start height, T, half-life, limit, anchor, 1 if it retargets): as the params file has it."""
    return (start_height, block_time_s, HALF_LIFE_BLOCKS * block_time_s, limit_bits, anchor_bits, int(retarget))


def _params(name: str, prefix: str, magic: bytes, genesis_time: int, eras: tuple[Era, ...]) -> Params:
    block_time_s = eras[-1][1]
    return Params(
        name=name,
        address_prefix=prefix,
        magic=magic,
        genesis_time=Timestamp(genesis_time),
        eras=eras,
        subsidy_initial=Amount(50 * COIN),
        halving_interval_blocks=2_100_000,
        maturity_blocks=100 if block_time_s >= 60 else 10,
        block_weight_max=8_000_000,
        due_weight_max=2_000_000,
        fee_rate_min=Amount(1),
        record_deposit=Amount(1_000),
        account_minimum=Amount(1_000),
        validity_blocks_max=86_400 // max(block_time_s, 60),
        allocations=(),
        kinds=ALL_KINDS,
    )


MAIN_ERA = make_era(0, 60, limit_bits=MAIN_LIMIT_BITS, anchor_bits=MAIN_LIMIT_BITS, retarget=True)
TEST_ERA = make_era(0, 60, limit_bits=TEST_LIMIT_BITS, anchor_bits=TEST_LIMIT_BITS, retarget=True)
DEV_ERA = make_era(0, 5, limit_bits=EASIEST_BITS, anchor_bits=DEV_ANCHOR_BITS, retarget=True)
SIM_ERA = make_era(0, 60, limit_bits=EASIEST_BITS, anchor_bits=EASIEST_BITS, retarget=False)

NETWORKS: dict[str, Params] = {
    params.name: params
    for params in (
        _params("main", "fan", b"fanM", 1_793_491_200, (MAIN_ERA,)),
        _params("test", "tfan", b"fanT", 1_793_491_200, (TEST_ERA,)),
        _params("dev", "dfan", b"fanD", 1_793_491_200, (DEV_ERA,)),
        _params("sim", "sfan", b"fanS", 1_500_000_000, (SIM_ERA,)),
    )
}


def private_params(
    *, name: str, genesis_time: Timestamp, eras: tuple[Era, ...], allocations: Iterable[Allocation]
) -> Params:
    """Params of a private chain: dev limits, own name, genesis time, eras and allocations."""
    template = _params(name, "dfan", b"fanP", genesis_time, eras)
    values = {field: getattr(template, field) for field in template.__dataclass_fields__}
    values["allocations"] = tuple(sorted(allocations, key=lambda allocation: allocation.address))
    values["validity_blocks_max"] = 1_440
    return Params(**values)


def replay_eras(switch_height: int) -> tuple[Era, ...]:
    """Sim rules below `switch_height`, dev rules from it on (spec PAR-3)."""
    dev = make_era(switch_height, 5, limit_bits=EASIEST_BITS, anchor_bits=DEV_ANCHOR_BITS, retarget=True)
    return (SIM_ERA, dev)
