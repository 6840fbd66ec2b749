"""Policies: ascending keys, a threshold within their number, an address that binds both."""

import pytest

from ledger.errors import Malformed
from ledger.params import POLICY_KEYS_MAX
from ledger.policy import BAD_POLICY, Policy, address_of_key, single_key_policy
from ledger.schema import OUT_OF_RANGE, WRONG_COUNT, Struct
from ledger.types import PublicKey
from tests.support.refusal import refused

KEYS = tuple(PublicKey(bytes([number]) * 32) for number in range(POLICY_KEYS_MAX))


@pytest.mark.parametrize("threshold", [1, POLICY_KEYS_MAX])
def test_a_good_policy(threshold: int) -> None:
    policy = Policy(threshold, KEYS)
    policy.check()
    shape = Struct(Policy)
    assert shape.decode(shape.encode(policy), "policy") == policy


@pytest.mark.parametrize(
    ("threshold", "keys", "reason"),
    [
        (1, (KEYS[1], KEYS[0]), "not strictly ascending"),
        (1, (KEYS[1], KEYS[1]), "not strictly ascending"),
        (3, KEYS[:2], "above the number"),
    ],
)
def test_a_policy_that_contradicts_itself(threshold: int, keys: tuple[PublicKey, ...], reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as caught:
        Policy(threshold, keys).check()
    assert caught.value.code is BAD_POLICY


def test_limits_of_the_shape() -> None:
    shape = Struct(Policy)
    with refused(OUT_OF_RANGE, Malformed):
        shape.decode((0, KEYS), "policy")
    with refused(OUT_OF_RANGE, Malformed):
        shape.decode((17, KEYS), "policy")
    with refused(WRONG_COUNT, Malformed):
        shape.decode((1, ()), "policy")
    with refused(WRONG_COUNT, Malformed):
        shape.decode((1, (*KEYS, PublicKey(b"\xff" * 32))), "policy")


def test_an_address_binds_threshold_and_keys() -> None:
    assert address_of_key(KEYS[0]) == single_key_policy(KEYS[0]).hash == Policy(1, KEYS[:1]).hash
    assert len({Policy(1, KEYS[:1]).hash, Policy(1, KEYS[:2]).hash, Policy(2, KEYS[:2]).hash}) == 3
