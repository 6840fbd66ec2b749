"""Params: what binds a chain, what a file may hold, and when kinds become valid."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger.address import CHARACTER, encode_address
from ledger.difficulty import PARAMS_ERAS
from ledger.emission import PARAMS_EMISSION
from ledger.errors import Malformed
from ledger.networks import NETWORKS
from ledger.params import BAD_FILE, GENESIS_TIME_MIN, Params, params_from_mapping, params_to_mapping
from ledger.schema import OUT_OF_RANGE, WRONG_COUNT, WRONG_TYPE
from ledger.types import INTEGER_MAX, Address, Amount, Height
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND

PARAMS = sim_params(FAN.address, FRIEND.address)
SIM_ERA = PARAMS.eras[0]


@pytest.mark.parametrize("params", [*NETWORKS.values(), PARAMS], ids=lambda params: params.name)
def test_a_file_gives_the_same_params(params: Params) -> None:
    written = json.loads(json.dumps(params_to_mapping(params)))
    assert params_from_mapping(written) == params
    del written["upgrades"]
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
    ]
    assert {name for change in changes for name in change} | {"upgrades"} == set(params_to_mapping(PARAMS))
    hashes = {replace(PARAMS, **change).hash for change in changes}
    assert len(hashes) == len(changes)
    assert PARAMS.hash not in hashes
    assert replace(PARAMS, upgrades=(("toy", 5),)).hash == PARAMS.hash


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
