"""A new kind reaches the read model without a change in the node: its events stand in the history of their subjects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import registry
from ledger.types import Height
from node.store.engine import open_engine
from node.store.reader import Reader, TransactionPlace
from tests.node.stored_chain import StoredScenario
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN, FRIEND, FUNDED
from tests.support.toy_kind import TOO_OFTEN, TOY_WAVE, ToyWave, Wave, Waved, wave_key

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def registered() -> Iterator[None]:
    """The one line, taken back after the test."""
    registry.register(TOY_WAVE)
    yield
    del registry.KINDS[TOY_WAVE.name]


@pytest.mark.usefixtures("registered")
def test_a_toy_kind_goes_from_bytes_to_the_read_model_and_back(tmp_path: Path) -> None:
    params = sim_params(*(signer.address for signer in FUNDED), kinds=tuple(sorted(registry.KINDS)))
    scenario = StoredScenario(tmp_path / "chain.sqlite", params=params)
    store = scenario.store
    wave = scenario.sign("toy.wave", ToyWave("hello"), author=FAN)
    assert store.pool.dry_run(wave.raw).events == (Waved(FAN.address, "hello"),)
    for raw in (wave.raw, scenario.sign("toy.wave", ToyWave("hi"), author=FRIEND).raw):
        store.pool.submit(raw)
    block = store.mine_pool()
    assert len(block.transactions) == 2
    engine = open_engine(store.url, read_only=True)
    reader = Reader(engine)
    with reader.snapshot() as snapshot:
        (row,) = snapshot.history(FAN.address, None, 10)
        assert (row.height, row.txid, row.event) == (1, wave.txid, Waved(FAN.address, "hello"))
        assert snapshot.events_of(TransactionPlace(Height(1), 1)) == [Waved(FRIEND.address, "hi")]
        assert snapshot.record(wave_key(FAN.address)) == Wave(b"A" + FAN.address, params.record_deposit, 1)
    store.restart()
    rival = StoredScenario(tmp_path / "rival.sqlite", params=params)
    rival.mine(2)
    store.take_all(rival.blocks)
    with reader.snapshot() as snapshot:
        assert snapshot.history(FAN.address, None, 10) == []
        assert snapshot.record(wave_key(FAN.address)) is None
    assert store.tables == rival.store.tables
    assert store.pool.get(wave.txid) == wave, "it waits again"
    again = [scenario.sign("toy.wave", ToyWave("again"), author=FAN, valid_from=1) for _ in range(2)]
    results = store.pool.submit_batch([transaction.raw for transaction in again])
    assert [getattr(result, "code", None) for result in results] == [None, TOO_OFTEN]
    reader.close()
    store.close()
    rival.store.close()
