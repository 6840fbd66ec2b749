"""The folder of receipts: written, read back, and wrong things in it."""

import json
from pathlib import Path

import pytest

from api.reporting.receipts_folder import ALL, BAD_FOLDER, MANIFEST_FILE, merge_folders, read_folder, write_folder
from api.wallet.errors import WalletError
from api.wallet.sealing import Opening, opening_to_mapping, seal_entry
from ledger.domains.loyalty.receipts import encode_receipt, receipt_hash
from ledger.types import ProgramId
from tests.api.wallet.test_receipts import CHAIN, NOW, make_receipt
from tests.support.refusal import refused

RECEIPTS = [make_receipt(NOW + place) for place in range(3)]
PROGRAM = RECEIPTS[0].receipt.program


def make_opening() -> Opening:
    items = [(receipt_hash(signed.receipt, signed.salt), signed.receipt.points) for signed in RECEIPTS]
    return seal_entry(RECEIPTS[0].receipt.member, 7, items)[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written = write_folder(tmp_path / "export", CHAIN, PROGRAM, ALL, RECEIPTS, [make_opening()])
    assert (written.receipts, written.openings) == (3, 1)
    return tmp_path / "export"


def test_what_is_written_is_read_back(folder: Path) -> None:
    found = read_folder(folder)
    assert (found.chain_id, found.program, found.covers) == (CHAIN, PROGRAM, ALL)
    assert sorted(signed.receipt.time for _, signed in found.receipts) == [NOW, NOW + 1, NOW + 2]
    assert next(name for name, _ in found.openings).startswith("openings/")
    assert (found.unreadable, found.foreign, found.programs) == ([], [], [PROGRAM])


def test_names_and_places_are_free_and_the_manifest_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "bread").write_bytes(encode_receipt(RECEIPTS[0]))
    (tmp_path / "deep" / "down" / "x.json").write_text(json.dumps(opening_to_mapping(make_opening())))
    found = read_folder(tmp_path)
    assert (len(found.receipts), len(found.openings), found.covers, found.chain_id) == (1, 1, "part", None)


def test_foreign_files_are_left_aside_and_damaged_ones_named(folder: Path) -> None:
    (folder / "notes.txt").write_text("bought bread")
    (folder / "picture.png").write_bytes(b"\x89PNG" * 9_000_000)
    (folder / "list.json").write_text("[1, 2]")
    (folder / ".hidden").write_text("of the system")
    (folder / "receipts" / "torn.bin").write_bytes(encode_receipt(RECEIPTS[0])[:-1])
    (folder / "receipts" / "empty.bin").write_bytes(b"")
    (folder / "receipts" / "long.bin").write_bytes(bytes(70_000))
    (folder / "openings" / "torn.json").write_text('{"format": "fansumer-open')
    good = opening_to_mapping(make_opening())
    for number, wrong in enumerate(
        (
            {"salt": "zz"},
            {"salt": "00"},
            {"points": -1},
            {"points": 2**64},
            {"version": 2},
            {"receipts": 5},
            {"period": 2**40},
        )
    ):
        (folder / "openings" / f"wrong-{number}.json").write_text(json.dumps({**good, **wrong}))
    found = read_folder(folder)
    assert sorted(found.foreign) == ["list.json", "notes.txt", "picture.png"]
    assert len(found.unreadable) == 3 + 1 + 7
    assert all(reason for _, reason in found.unreadable)
    assert (len(found.receipts), len(found.openings)) == (3, 1)


def test_folders_with_nothing_to_audit_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with refused(BAD_FOLDER, WalletError):
            read_folder(path)
    (tmp_path / "notes.txt").write_text("bought bread")
    with refused(
        BAD_FOLDER, WalletError, reason="there is no receipt and no opening in it; 1 other files were left aside"
    ):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"version": 2},
        {"covers": "some"},
        {"program": "5f"},
        {"chain_id": None},
        {"program": "zz" * 32},
    ],
)
def test_a_damaged_manifest_is_refused(folder: Path, change: dict[str, object]) -> None:
    document = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps({**document, **change}))
    with refused(BAD_FOLDER, WalletError):
        read_folder(folder)


def test_an_export_overwrites_nothing(folder: Path, tmp_path: Path) -> None:
    for path in (folder, folder / MANIFEST_FILE):
        with refused(BAD_FOLDER, WalletError):
            write_folder(path, CHAIN, PROGRAM, ALL, RECEIPTS, [])


def test_folders_are_merged_each_receipt_once(folder: Path) -> None:
    (folder / "notes.txt").write_text("bought bread")
    merged = merge_folders([folder, folder], PROGRAM)
    assert (len(merged.receipts), len(merged.openings), merged.left_aside) == (3, 1, 2)
    assert merge_folders([folder], ProgramId(bytes(32))).receipts == []
    (folder / "receipts" / "torn.bin").write_bytes(b"x")
    with refused(BAD_FOLDER, WalletError):
        merge_folders([folder], PROGRAM)
