"""Handing the demo's receipts over: all of the grocer's, or one household's."""

import json
from pathlib import Path

import pytest

from api.demo.receipts_file import RECEIPTS_FILE, ReceiptsFile
from api.reporting.receipts_folder import read_folder
from api.wallet.sealing import seal_entry
from ledger.domains.loyalty.receipts import encode_receipt, receipt_hash
from ledger.genesis import make_genesis
from ledger.params import params_to_mapping
from ledger.types import Address
from tests.api.cli.conftest import Terminal
from tests.api.wallet.test_receipts import make_receipt
from tests.support.memory_chain import sim_params

pytestmark = pytest.mark.usefixtures("no_node")
SIGNED = make_receipt()
FANS = ((7, SIGNED.receipt.member), (9, Address(b"n" * 32)))


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """A replay's folder with one fan that bought something, and one that did not."""
    (tmp_path / "params.json").write_text(json.dumps(params_to_mapping(sim_params())))
    item = (receipt_hash(SIGNED.receipt, SIGNED.salt), SIGNED.receipt.points)
    _, opening = seal_entry(SIGNED.receipt.member, 7, [item])
    with ReceiptsFile.create(tmp_path / RECEIPTS_FILE) as file:
        rows = [(SIGNED.receipt.sequence, SIGNED.receipt.member, 7, encode_receipt(SIGNED), b"\x90")]
        file.write_week(FANS, rows, [opening])
        file.finish()
    return tmp_path


@pytest.mark.parametrize(("options", "covers"), [((), "all"), (("--household", 7), "part")])
def test_receipts_and_openings_are_handed_over(
    terminal: Terminal, replay: Path, tmp_path: Path, options: tuple[object, ...], covers: str
) -> None:
    answer = terminal.read("demo", "export-receipts", tmp_path / "out", "--folder", replay, *options)
    assert (answer["receipts"], answer["openings"], answer["covers"]) == (1, 1, covers)
    found = read_folder(tmp_path / "out")
    assert found.chain_id == make_genesis(sim_params()).chain_id
    assert (found.program, found.covers) == (SIGNED.receipt.program, covers)
    assert [signed for _, signed in found.receipts] == [SIGNED]


def test_what_is_not_there_is_refused(terminal: Terminal, replay: Path, tmp_path: Path) -> None:
    export = ("demo", "export-receipts", tmp_path / "out")
    assert "it is not there" in terminal.fail(*export, "--folder", tmp_path / "nothing", expect=2)
    assert "it is not there" in terminal.fail(*export, expect=2)
    assert "no household 8" in terminal.fail(*export, "--folder", replay, "--household", 8, expect=2)
    assert "it holds no receipt" in terminal.fail(*export, "--folder", replay, "--household", 9, expect=2)
    assert not (tmp_path / "out").exists()


def test_a_brand_names_folders_that_are_there(terminal: Terminal, tmp_path: Path) -> None:
    export = ("brand", "export-receipts", "5f" * 32, tmp_path / "out", "--chain-id", "5f" * 32, "--receipts")
    assert "receipts.bad_folder" in terminal.fail(*export, tmp_path / "nothing")
    assert "cli.bad_id" in terminal.fail(
        "brand", "export-receipts", "5f", tmp_path / "out", "--receipts", tmp_path, expect=2
    )
