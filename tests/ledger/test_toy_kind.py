"""A new kind is one module and one line: from bytes through decoding and its rule to events, and gone again."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger import registry
from ledger.errors import all_codes
from ledger.events import event_shape
from ledger.transaction import INACTIVE_KIND, UNKNOWN_KIND, decode_transaction
from ledger.types import Height
from tests.support.memory_chain import Scenario, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, POOR
from tests.support.toy_kind import TOO_OFTEN, TOY_WAVE, ToyWave, Wave, Waved, wave_key

HELLO = ToyWave("hello")


@pytest.fixture
def registered() -> Iterator[None]:
    """The one line, taken back after the test."""
    registry.register(TOY_WAVE)
    yield
    del registry.KINDS[TOY_WAVE.name]


@pytest.mark.usefixtures("registered")
def test_a_toy_kind_goes_from_bytes_to_events() -> None:
    chain = Scenario(*FUNDED)
    transaction = chain.sign("toy.wave", HELLO, author=FAN)
    assert decode_transaction(transaction.raw, chain.chain_id).payload == HELLO
    assert TOY_WAVE.reads(FAN.address, HELLO) == (wave_key(FAN.address),)
    chain.block(transaction, chain.sign("toy.wave", HELLO, author=FRIEND))
    assert chain.events == (Waved(FAN.address, "hello"), Waved(FRIEND.address, "hello"))
    assert chain.events[0].subjects() == (FAN.address,)
    assert event_shape("toy.waved").encode(chain.events[0]) == (FAN.address, "hello")
    assert chain.record(wave_key(FAN.address)) == Wave(b"A" + FAN.address, chain.params.record_deposit, 1)
    chain.send("toy.wave", HELLO, author=FAN)
    with refused(TOO_OFTEN, account=FAN.address, times=2):
        chain.send("toy.wave", HELLO, author=FAN)
    assert TOO_OFTEN in all_codes()
    chain.replay()
    chain.unwind(2)
    assert chain.record(wave_key(FAN.address)) is None


@pytest.mark.usefixtures("registered")
def test_a_toy_kind_is_valid_from_its_activation_on() -> None:
    kinds = tuple(kind for kind in sim_params().kinds if kind != "toy.wave")
    params = replace(sim_params(*(s.address for s in FUNDED), kinds=kinds), upgrades=(("toy.wave", 3),))
    chain = Scenario(params=params)
    with refused(INACTIVE_KIND, found="toy.wave", height=Height(1)):
        chain.send("toy.wave", HELLO, author=FAN)
    chain.mine(2)
    chain.send("toy.wave", HELLO, author=FAN)


def test_without_its_line_the_kind_is_unknown(registered: None) -> None:
    chain = Scenario(*FUNDED)
    raw = chain.sign("toy.wave", HELLO, author=POOR).raw
    kinds = dict(registry.KINDS)
    del registry.KINDS["toy.wave"]
    try:
        with refused(UNKNOWN_KIND, found="toy.wave"):
            decode_transaction(raw, chain.chain_id)
    finally:
        registry.KINDS.update(kinds)
