"""The demo as somebody meets it who starts it: what the console tells one to try is tried, on a small made folder of purchases."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console

from api.cli import up
from api.demo.households import open_household
from api.demo.journey import HouseholdId
from api.demo.products import RECALL
from api.demo.receipts_file import RECEIPTS_FILE, ReceiptsFile
from api.demo.replay import ReplayOptions, run_replay
from api.demo.shop_desk import ShopDesk
from api.wallet.client import Client
from api.wallet.request_signing import AccountSigner
from ledger.address import encode_address
from ledger.domains.loyalty.receipts import encode_receipt, receipt_hash
from ledger.types import Address, ProgramId
from tests.api.cli.conftest import Terminal
from tests.support.parquet_purchases import Purchase, Sold, write_purchases

QUIET = Console(quiet=True)
PURCHASES: list[Purchase] = [
    (1, 8, "2017-12-12 14:00:00", 20.00),
    (2, 9, "2017-12-12 15:00:00", 40.00),
    (12, 10, "2017-12-13 15:00:00", 25.00),
    (2, 11, "2017-12-19 16:20:00", 31.00),
    (2, 12, "2017-12-28 16:20:00", 30.00),
    (12, 13, "2017-12-31 17:00:00", 35.00),
]
"""Households 2 and 12 have the app, 12 refuses every consent; 1 keeps paper."""
SOLD: list[Sold] = [(103, "GROCERY", "EGGS", "EGGS - LARGE", "18 CT")]
"""Household 2's, before the last week."""


@dataclass(frozen=True)
class Demo:
    """A running demo, and what its console said."""

    folder: Path
    url: str
    lines: list[str]

    @property
    def report(self) -> Any:
        """What its replay reported."""
        return up.read_report(self.folder)

    @property
    def program(self) -> ProgramId:
        """Whose receipts there are."""
        return ProgramId(bytes.fromhex(self.report["program"]))

    def receipts_of(self, household: int) -> tuple[set[str], set[str]]:
        """Ids of the receipts that a household's tills wrote, and of those that the node has for it."""
        fan = open_household(HouseholdId(household), self.program)
        with ReceiptsFile(self.folder / RECEIPTS_FILE) as file, Client(self.url) as client:
            written = {receipt_hash(signed.receipt, signed.salt).hex() for signed, _ in file.read_receipts(fan.address)}
            sign = AccountSigner(fan, encode_address(client.chain()["address_prefix"], fan.address))
            items = client.receipts(sign, self.program)["items"]
            assert len(items) == len({item["id"] for item in items}), "nothing is there twice"
            return written, {item["id"] for item in items}

    def member(self, household: int) -> Address:
        """A household's account."""
        return open_household(HouseholdId(household), self.program).address


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_purchases(tmp_path_factory.mktemp("purchases"), PURCHASES, sold=SOLD)


def break_off(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """End the making of the demo in the middle of handing over, as `kill -9` does: nothing is tidied up."""
    hand_over = ShopDesk.hand_over

    def fail_after_three(desk: ShopDesk) -> None:
        hand_over(desk)
        if desk.handed_over >= 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ShopDesk, "hand_over", fail_after_three)
        with pytest.raises(KeyboardInterrupt):
            up.prepare_demo(folder, QUIET)
    assert (folder / "receipts.sqlite").exists()
    assert not (folder / up.REPORT_FILE).exists()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, purchases: Path) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")

    def replay_small(options: ReplayOptions, console: Console) -> Any:
        return run_replay(replace(options, weeks=3, data_dir=purchases), console=console)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(up, "run_replay", replay_small)
        break_off(patched, folder)
        up.prepare_demo(folder, QUIET)
    params = up.read_params_file(folder / up.PARAMS_FILE)
    running = up.Running(up.UpOptions(data_dir=folder, port=0, miner_workers=0), folder, params, None)
    try:
        running.start()
        yield Demo(folder, running.url, up.list_hints_for_demo(folder, running))
    finally:
        running.close()


@pytest.mark.parametrize("household", [2, 12])
def test_the_app_has_what_the_tills_wrote_once_also_after_a_kill(demo: Demo, household: int) -> None:
    written, kept = demo.receipts_of(household)
    assert written == kept
    assert len(kept) == sum(1 for purchase in PURCHASES if purchase[0] == household)
    assert demo.report["handed_over"] == 5


def test_who_keeps_paper_has_nothing_at_the_node(demo: Demo) -> None:
    written, kept = demo.receipts_of(1)
    assert (len(written), kept) == (1, set())


def test_the_same_receipts_again_are_there_once(demo: Demo) -> None:
    with ReceiptsFile(demo.folder / RECEIPTS_FILE) as file, Client(demo.url) as client:
        for signed, lines in file.read_receipts(demo.member(2))[-1:]:
            assert client.hand_over(encode_receipt(signed), lines)["is_new"] is False
    assert len(demo.receipts_of(2)[1]) == 3


def test_the_shop_says_what_it_sells(demo: Demo) -> None:
    answer = httpx2.get(f"{demo.url}/v1/programs/{demo.program.hex()}/products").json()
    assert answer["zone"] == "America/New_York"
    found = {product["item"]: product for product in answer["items"]}
    assert found.keys() == {str(number) for number in range(101, 106)}, "100 was bought by one household, on paper"
    assert found["103"]["recall"] == RECALL and found["101"]["recall"] == {}


def run_hints(demo: Demo, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """All commands that the console names, typed as they stand; what each printed, in turn."""
    monkeypatch.chdir(home)
    terminal, said = Terminal(home), dict[str, list[str]]()
    for line in (line.strip() for line in demo.lines if line.startswith("  ")):
        words = shlex.split(line)
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
        elif words[0] == "echo":
            place = words.index(">")
            (home / words[place + 1]).write_text(" ".join(words[1:place]))
        elif words[0] == "fansumer":
            is_refused = "messages" in words and "refuser.json" in words
            told = terminal.fail(*words[1:]) if is_refused else terminal.run(*words[1:])
            said.setdefault(" ".join(word for word in words[1:] if word != demo.program.hex()), []).append(told)
        else:
            assert words[0] == "curl"
    return said


def test_all_that_the_console_names_works_as_it_stands(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run_hints(demo, tmp_path, monkeypatch)
    english, korean = said["wallet messages --why --wallet fan.json"]
    assert RECALL["en"] in english and "Eggs - large, 18 CT" in english and "personalise (receipts)" in english
    assert RECALL["ko"] in korean and "달걀 (Eggs - large, 18 CT)" in korean
    assert "growing" in said["wallet profile show --wallet fan.json"][0]
    assert "All family cereal" in said["wallet profile show --wallet fan.json"][0]
    assert "discoveries" in said["wallet recommendations --wallet fan.json"][0]
    assert "messages" in said["wallet reads --wallet fan.json"][0]
    refused = said["wallet messages --wallet refuser.json"][0]
    assert "personal.not_granted" in refused and "wallet consent grant" in refused
    assert "3500" in said["wallet receipts list --wallet refuser.json"][0]
    assert "minimum" in said["brand segments --wallet brand.json"][0]
    assert "conversion_days" in said["brand message-report --wallet brand.json"][0]


def test_the_smoke_run_finds_a_fan_that_is_told_something(demo: Demo) -> None:
    with Client(demo.url) as client:
        told = up.read_message(client, demo.report)
    assert any(text in told for text in RECALL.values()), "in the language that the fan has by now"
