"""The small parts: codes of QR, the token, the sale's shape, the store's owner, the worker's end."""

import json
import re
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.till import errors
from api.till.errors import TillRefused
from api.till.sale import Sale
from api.till.service import TillOptions, TillService
from api.till.store import TillStore, read_receipts
from api.till.symbol import (
    LINK_PREFIX,
    SYMBOL_BYTES_MAX,
    draw_symbol,
    fits_symbol,
    link_text,
    read_receipt_text,
    receipt_text,
)
from api.till.token import is_token, load_token
from api.till.worker import Stopped, Worker
from ledger.types import ProgramId
from node.errors import NodeError
from node.store.engine import STORE_FULL
from tests.support.refusal import refused
from tests.support.till_world import TillWorld
from tests.support.wallet_node import master_of

GOOD = {"id": "17", "member": "dfan1x", "net_cents": 1}


def test_a_receipts_text_is_read_back() -> None:
    for data in (b"", b"\x93", bytes(range(256))):
        assert read_receipt_text(receipt_text(data)) == data
    for text in (
        "",
        "fansumer-receipt:2:AA",
        "fansumer-receipt:1:A",
        "AA" * 100_000,
        "fansumer-receipt:1:" + "A" * 10**6,
    ):
        assert read_receipt_text(text) is None
    assert fits_symbol("x" * SYMBOL_BYTES_MAX) and not fits_symbol("x" * (SYMBOL_BYTES_MAX + 1))
    assert json.loads(link_text("http://n", "aa", "bb").removeprefix(LINK_PREFIX))["receipt"] == "bb"


def test_symbols_are_drawn_in_each_form() -> None:
    text = "x" * SYMBOL_BYTES_MAX
    assert draw_symbol(text, "svg")["svg"].startswith("<svg")
    assert draw_symbol("x", "png")["png"].startswith("iVBORw0KGgo")
    assert "\u2588" in draw_symbol("x", "text")["blocks"]
    assert draw_symbol("x", "none") == {}


def test_the_token_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    token = load_token(tmp_path)
    path = tmp_path / "token"
    assert load_token(tmp_path) == token and len(token) >= 40 and path.stat().st_mode & 0o777 == 0o600
    assert is_token(f"Bearer {token}", token) and is_token(f"bearer {token} ", token)
    for header in ("", token, f"Basic {token}", f"Bearer {token}x", "Bearer ", "Bearer \u00e9"):
        assert not is_token(header, token)
    path.chmod(0o644)
    with refused(errors.TOKEN_EXPOSED, TillRefused):
        load_token(tmp_path)
    path.chmod(0o600)
    for content in (b"", b"short", b"x" * 2_000, b"\xff" * 40):
        path.write_bytes(content)
        with refused(errors.TOKEN_EXPOSED, TillRefused):
            load_token(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "a/b"},
        {"id": "a b"},
        {"id": "x" * 101},
        {"id": 17},
        {"net_cents": "1"},
        {"net_cents": 1.0},
        {"net_cents": True},
        {"net_cents": 2**53 + 1},
        {"paid_with_points_cents": -1},
        {"codes": [["a", 1]]},
        {"codes": {"a": "1"}},
        {"codes": {str(index): 1 for index in range(65)}},
        {"lines": {}},
        {"lines": [1] * 1_001},
        {"time": -1},
        {"time": 2**40 + 1},
        {"member": ""},
        {"tier": 9},
        {"tier": "gold"},
        {"previous_visit": -1},
        {"nett_cents": 1},
    ],
)
def test_sales_that_cannot_be_meant(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Sale.model_validate(GOOD | change)


@pytest.mark.parametrize(
    "change",
    [{"codes": {"": 1}}, {"codes": {"\u00e9" * 17: 1}}, {"codes": {"\ud800": 1}}, {"lines": [1.5]}, {"lines": [None]}],
)
def test_sales_that_no_receipt_can_hold(change: dict[str, object]) -> None:
    with refused(errors.BAD_SALE, TillRefused):
        Sale.model_validate(GOOD | change).content_hash()
    huge = Sale.model_validate(GOOD | {"lines": ["x" * 66_000]})
    with refused(errors.BAD_SALE, TillRefused):
        huge.content_hash()


def test_a_folder_belongs_to_one_till(tmp_path: Path) -> None:
    names: list[str] = []

    def first(store: str) -> int:
        names.append(store)
        return 7

    TillStore(tmp_path, {"program": "p", "key": "k"}, first).close()
    found = TillStore(tmp_path, {"program": "p", "key": "k"}, first)
    assert found.next_number() == 7 and names[0] == names[1]
    assert found.path.stat().st_mode & 0o077 == 0
    found.close()
    with refused(errors.OTHER_TILL, TillRefused):
        TillStore(tmp_path, {"program": "q", "key": "k"}, first)


def test_receipts_are_read_beside_a_till_at_work(world: TillWorld) -> None:
    kept = [world.sell(name) for name in ("a", "b", "c")]
    assert list(read_receipts(world.store.path)) == [(found.number, found.signed) for found in kept]
    assert [number for number, _ in read_receipts(world.store.path, 2)] == [3]


def test_only_loopback_is_listened_on(tmp_path: Path) -> None:
    options = TillOptions(
        program=ProgramId(bytes(32)),
        master=master_of("till"),
        account=0,
        data_dir=tmp_path,
        sequences=tmp_path,
        node_url="http://node",
        host="0.0.0.0",
    )
    with refused(errors.NOT_LOOPBACK, TillRefused):
        TillService(options)


def test_a_worker_is_woken_survives_its_stores_faults_and_shows_others() -> None:
    done = threading.Event()
    calls: list[int] = []

    def work() -> float:
        calls.append(len(calls))
        if len(calls) == 1:
            raise NodeError(STORE_FULL, path="here")
        done.set()
        return 3_600.0

    worker = Worker("test", work)
    worker.start()
    worker.wake()
    assert done.wait(10)
    worker.stop(10)
    assert worker.fault is None
    with pytest.raises(Stopped):
        worker.sleep(10)


def test_codes_of_the_till_say_what_to_do() -> None:
    named = [value for value in vars(errors).values() if isinstance(value, errors.Code)]
    assert len({code.name for code in named}) == len(named) >= 20
    assert all(re.fullmatch(r"till\.[a-z_]+", code.name) and code.advice.endswith(".") for code in named)
