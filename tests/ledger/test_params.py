"""Params: what binds a chain, what a file may hold, and when kinds become valid."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger.address import CHARACTER, encode_address
from ledger.difficulty import PARAMS_ERAS
from ledger.emission import PARAMS_EMISSION
from ledger.errors import Malformed
from ledger.keys import public_key_of
from ledger.networks import NETWORKS
from ledger.params import BAD_FILE, GENESIS_TIME_MIN, OPTIONAL, Attestor, Params, params_from_mapping, params_to_mapping
from ledger.schema import OUT_OF_RANGE, WRONG_COUNT, WRONG_LENGTH, WRONG_TYPE
from ledger.types import INTEGER_MAX, Address, Amount, BlockHash, Height, PrivateSeed, PublicKey
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND

PARAMS = sim_params(FAN.address, FRIEND.address)
SIM_ERA = PARAMS.eras[0]
KEYS = tuple(sorted(public_key_of(PrivateSeed(bytes([n]) * 32)) for n in (1, 2)))
ATTESTORS = tuple(Attestor(key, 7) for key in KEYS)
ATTESTED = replace(
    PARAMS,
    attestors=ATTESTORS,
    recovery_keys=KEYS,
    recovery_threshold=2,
    trusted=((Height(40), BlockHash(bytes(range(32)))),),
)


@pytest.mark.parametrize("params", [*NETWORKS.values(), PARAMS, ATTESTED], ids=lambda params: params.name)
def test_a_file_gives_the_same_params(params: Params) -> None:
    written = json.loads(json.dumps(params_to_mapping(params)))
    assert params_from_mapping(written) == params
    for name in OPTIONAL:
        if not getattr(params, name) or name == "trusted":
            del written[name]
    assert params_from_mapping(written).hash == params.hash


def test_every_difference_but_an_upgrade_is_another_chain() -> None:
    changes: list[dict[str, Any]] = [
        {"name": "other"},
        {"address_prefix": "other"},
        {"magic": b"othr"},
        {"genesis_time": PARAMS.genesis_time + 1},
        {"eras": ((*SIM_ERA[:1], 61, *SIM_ERA[2:]),)},
        {"subsidy_initial": 1},
        {"halving_interval_blocks": 7},
        {"maturity_blocks": 7},
        {"block_weight_max": 5_000_000},
        {"due_weight_max": 2_000_000},
        {"fee_rate_min": 1},
        {"record_deposit": 1},
        {"account_minimum": 1},
        {"validity_blocks_max": 7},
        {"allocations": PARAMS.allocations[:1]},
        {"kinds": PARAMS.kinds[1:]},
        {"attestors": ATTESTORS},
        {"attestors": (replace(ATTESTORS[0], weight=8), ATTESTORS[1])},
        {"attestors": ATTESTORS, "recovery_keys": KEYS, "recovery_threshold": 1},
        {"attestors": ATTESTORS, "recovery_keys": KEYS, "recovery_threshold": 2},
        {"silence_days": 7},
        {"silence_blocks": 7},
        {"checkpoint_interval_blocks": 7},
    ]
    assert {name for change in changes for name in change} | {"upgrades", "trusted"} == set(params_to_mapping(PARAMS))
    hashes = {replace(PARAMS, **change).hash for change in changes}
    assert len(hashes) == len(changes)
    assert PARAMS.hash not in hashes
    assert replace(PARAMS, upgrades=(("toy", 5),)).hash == PARAMS.hash
    attested = replace(PARAMS, attestors=ATTESTORS)
    assert replace(attested, trusted=((Height(40), BlockHash(b"b" * 32)),)).hash == attested.hash


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"magic": bytes.fromhex("aa21a9ed")}, "belongs to Bitcoin"),
        ({"address_prefix": "Fan"}, "lower case"),
        ({"kinds": ("transfer", "earn")}, "kinds must be sorted"),
        ({"kinds": ("earn", "earn")}, "kinds must be sorted"),
        ({"allocations": PARAMS.allocations[::-1]}, "allocations must be sorted"),
        ({"allocations": PARAMS.allocations[:1] * 2}, "allocations must be sorted"),
        (
            {"allocations": tuple(replace(a, amount=Amount(INTEGER_MAX // 4 + 1)) for a in PARAMS.allocations)},
            "too large",
        ),
        ({"attestors": ATTESTORS[::-1]}, "attestors must be sorted"),
        ({"attestors": ATTESTORS[:1] * 2}, "attestors must be sorted"),
        ({"attestors": (Attestor(PublicKey(bytes(32)), 1),)}, "sign nothing"),
        (
            {"attestors": ATTESTORS, "recovery_keys": KEYS[::-1], "recovery_threshold": 1},
            "recovery_keys must be sorted",
        ),
        ({"attestors": ATTESTORS, "recovery_keys": KEYS}, "recovery_threshold must lie"),
        ({"attestors": ATTESTORS, "recovery_keys": KEYS, "recovery_threshold": 3}, "recovery_threshold must lie"),
        ({"attestors": ATTESTORS, "recovery_threshold": 1}, "recovery_threshold must lie"),
        ({"recovery_keys": KEYS, "recovery_threshold": 1}, "no meaning without attestors"),
        ({"trusted": ((Height(20), BlockHash(bytes(32))),)}, "no meaning without attestors"),
    ],
)
def test_params_that_contradict_themselves(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as caught:
        replace(PARAMS, **change)
    assert caught.value.code is BAD_FILE


def test_a_bad_schedule_is_refused() -> None:
    with refused(PARAMS_ERAS, Malformed):
        replace(PARAMS, eras=((1, *SIM_ERA[1:]),))
    with refused(PARAMS_EMISSION, Malformed):
        replace(PARAMS, subsidy_initial=INTEGER_MAX)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"genesis_time": GENESIS_TIME_MIN - 1}, OUT_OF_RANGE),
        ({"genesis_time": "today"}, WRONG_TYPE),
        ({"fee_rate_min": -1}, OUT_OF_RANGE),
        ({"kinds": []}, WRONG_COUNT),
        ({"kinds": "transfer"}, WRONG_TYPE),
        ({"eras": [[0]]}, WRONG_COUNT),
        ({"block_weight_max": 1.5}, WRONG_TYPE),
        ({"magic": "zz"}, BAD_FILE),
        ({"magic": 5}, BAD_FILE),
        ({"allocations": 5}, BAD_FILE),
        ({"allocations": [["00"]]}, BAD_FILE),
        ({"allocations": [[5, 1]]}, BAD_FILE),
        ({"allocations": [[f"{PARAMS.address_prefix}1nonsense", 1]]}, CHARACTER),
        ({"address_prefix": 5}, BAD_FILE),
        ({"name": "\ud800"}, BAD_FILE),
        ({"surprise": 1}, BAD_FILE),
        ({"attestors": [["00"]]}, BAD_FILE),
        ({"attestors": [["00" * 31, 1]]}, WRONG_LENGTH),
        ({"attestors": [["01" * 32, 0]]}, OUT_OF_RANGE),
        ({"recovery_keys": [5]}, BAD_FILE),
        ({"recovery_keys": 5}, BAD_FILE),
        ({"trusted": [[20, "zz"]]}, BAD_FILE),
        ({"trusted": [[20, "00"]]}, WRONG_LENGTH),
        ({"checkpoint_interval_blocks": 0}, OUT_OF_RANGE),
        ({"kinds": json.loads("[" * 17 + "]" * 17)}, BAD_FILE),
        ({"kinds": json.loads("[" * 900 + "]" * 900)}, BAD_FILE),
        ({"kinds": json.loads("[" * 16 + "]" * 16)}, WRONG_TYPE),
    ],
)
def test_a_bad_file_is_named(change: dict[str, Any], code: Any) -> None:
    with refused(code, Malformed):
        params_from_mapping({**params_to_mapping(PARAMS), **change})


def test_an_allocation_names_its_account_in_hex_or_as_people_do() -> None:
    written = params_to_mapping(PARAMS)
    address, amount = written["allocations"][0]
    text = encode_address(PARAMS.address_prefix, Address(bytes.fromhex(address)))
    written["allocations"][0] = [text, amount]
    assert params_from_mapping(written) == PARAMS


def test_a_missing_field_is_named() -> None:
    written = params_to_mapping(PARAMS)
    del written["magic"]
    with pytest.raises(Malformed, match=r"missing fields \['magic'\]"):
        params_from_mapping(written)


def test_a_kind_is_valid_from_its_activation_on() -> None:
    params = replace(PARAMS, kinds=("earn",), upgrades=(("toy", 5), ("toy", 9), ("earn", 7)))
    assert params.activations == {"earn": 0, "toy": 5}


def test_the_era_of_a_height() -> None:
    later = (10, 5, 500, *SIM_ERA[3:])
    params = replace(PARAMS, eras=((*SIM_ERA[:2], 7_200, *SIM_ERA[3:]), later))
    assert [params.era_at(Height(height)).block_time_s for height in (0, 9, 10, 11)] == [60, 60, 5, 5]
    assert params.future_limit_seconds(Height(9)) == 240
    assert params.future_limit_seconds(Height(10)) == 60
