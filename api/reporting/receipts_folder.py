"""The folder in which a brand, or a fan, hands over receipts: what an auditor recomputes the books from (spec AUD-6).

    books.json      {"format": "fansumer-receipts", "version": 1, "chain_id", "program", "covers": "all" or "part"}
    receipts/*.bin  one signed receipt each, in canonical bytes (spec RCP-1)
    openings/*.json one opening of a settled entry each: what is in it, and the salts of R and K

Names and folders below are free, and books.json may be missing: files are told by what they hold. A brand's export covers all of
a program's receipts; whatever a fan hands over is a part.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from api.wallet.errors import WalletError
from api.wallet.sealing import Opening, opening_from_mapping, opening_to_mapping
from ledger.domains.loyalty.receipts import (
    RECEIPT_BYTES_MAX,
    SignedReceipt,
    decode_receipt,
    encode_receipt,
    receipt_hash,
)
from ledger.errors import Code, LedgerError, Malformed
from ledger.policy import address_of_key
from ledger.types import ChainId, ProgramId

MANIFEST_FILE: Final = "books.json"
FORMAT: Final = "fansumer-receipts"
VERSION: Final = 1
ALL: Final = "all"
PART: Final = "part"
OPENING_SUFFIX: Final = ".json"
OPENING_FORMAT: Final = "fansumer-opening"
FILE_BYTES_MAX: Final = 2**22
"""An opening of a member's busiest period; a receipt is far smaller."""
FILES_MAX: Final = 2_000_000

BAD_FOLDER = Code(
    "receipts.bad_folder",
    "the folder {path} can't be used: {reason}",
    "Name a folder that `fansumer brand export-receipts` wrote, or one with receipts and openings in it.",
)


@dataclass(slots=True)
class ReceiptsFolder:
    """What was found: receipts and openings with the files that they came from, and what could not be read."""

    path: Path
    chain_id: ChainId | None = None
    program: ProgramId | None = None
    covers: str = PART
    receipts: list[tuple[str, SignedReceipt]] = field(default_factory=list[tuple[str, SignedReceipt]])
    openings: list[tuple[str, Opening]] = field(default_factory=list[tuple[str, Opening]])
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    foreign: list[str] = field(default_factory=list[str])

    @property
    def programs(self) -> list[ProgramId]:
        """The programs that its receipts name."""
        return sorted({signed.receipt.program for _, signed in self.receipts})


def read_folder(path: Path, *, with_openings: bool = True) -> ReceiptsFolder:
    """Everything below `path`; `with_openings` False leaves the openings unread, which are half of a year's files.

    Raises WalletError receipts.bad_folder where there is nothing to audit.
    """
    if not path.is_dir():
        raise WalletError(BAD_FOLDER, path=str(path), reason="it is no folder")
    found = ReceiptsFolder(path)
    for name in _files_below(path):
        if with_openings or not name.endswith(OPENING_SUFFIX) or name == MANIFEST_FILE:
            _read_file(found, name)
    if not found.receipts and not found.openings and not found.unreadable:
        left = f"; {len(found.foreign)} other files were left aside" if found.foreign else ""
        raise WalletError(BAD_FOLDER, path=str(path), reason=f"there is no receipt and no opening in it{left}")
    return found


def _files_below(path: Path) -> list[str]:
    """The names of its files from there, by folder and name; hidden ones are the system's own.

    A year of a shop has hundreds of thousands, for which `Path` takes longer than for reading them.
    """
    found: list[str] = []
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            entries = list(os.scandir(path / below))
        except PermissionError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{below}{entry.name}/")
            elif entry.is_file():
                found.append(f"{below}{entry.name}")
        if len(found) > FILES_MAX:
            raise WalletError(BAD_FOLDER, path=str(path), reason=f"it holds more than {FILES_MAX} files")
    return sorted(found, key=lambda name: name.split("/"))


def _read_file(found: ReceiptsFolder, name: str) -> None:
    try:
        with open(f"{found.path}/{name}", "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as fault:
        found.unreadable.append((name, fault.strerror or "it cannot be read"))
        return
    if len(data) > FILE_BYTES_MAX:
        found.foreign.append(name)
    elif name == MANIFEST_FILE:
        _read_manifest(found, data)
    elif name.endswith(OPENING_SUFFIX):
        _read_opening(found, name, data)
    else:
        try:
            if len(data) > RECEIPT_BYTES_MAX:
                raise ValueError
            found.receipts.append((name, decode_receipt(data)))
        except (Malformed, ValueError) as fault:
            if name.endswith(".bin"):
                found.unreadable.append((name, str(fault) or "it is too long for a receipt"))
            else:
                found.foreign.append(name)


def _read_opening(found: ReceiptsFolder, name: str, data: bytes) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        found.unreadable.append((name, "it is not JSON"))
        return
    if not isinstance(document, dict) or document.get("format") != OPENING_FORMAT:
        found.foreign.append(name)
        return
    try:
        opening = opening_from_mapping(document)
        _check_lengths(opening)
        found.openings.append((name, opening))
    except (LedgerError, ValueError, OverflowError) as fault:
        found.unreadable.append((name, str(fault)))


def _check_lengths(opening: Opening) -> None:
    """Raise ValueError where a number or an id of an opening can't be what it should be."""
    numbers = (opening.points, opening.before.remainder, opening.after.remainder, *(p for _, p in opening.receipts))
    if min(numbers) < 0 or sum(numbers) >= 2**63 or not 0 <= opening.period < 2**31:
        raise ValueError("a number in it is out of range")
    if any(len(part) != 32 for part in (opening.member, opening.salt, *(found for found, _ in opening.receipts))):
        raise ValueError("an id or a salt in it has a wrong length")


def _read_manifest(found: ReceiptsFolder, data: bytes) -> None:
    """Raises WalletError receipts.bad_folder: what says whose books these are must be right."""
    try:
        document: Any = json.loads(data)
        if document["format"] != FORMAT or document["version"] != VERSION or document["covers"] not in (ALL, PART):
            raise ValueError
        found.chain_id = ChainId(bytes.fromhex(document["chain_id"]))
        found.program = ProgramId(bytes.fromhex(document["program"]))
        found.covers = document["covers"]
        if len(found.chain_id) != 32 or len(found.program) != 32:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WalletError(BAD_FOLDER, path=str(found.path), reason=f"{MANIFEST_FILE} is damaged") from None


@dataclass(frozen=True, slots=True)
class Written:
    """How much an export wrote."""

    receipts: int
    openings: int


def write_folder(
    path: Path,
    chain_id: ChainId,
    program: ProgramId,
    covers: str,
    receipts: Iterable[SignedReceipt],
    openings: Iterable[Opening],
) -> Written:
    """Write an export. Raises WalletError receipts.bad_folder where `path` holds something, or can't be written."""
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise WalletError(
                BAD_FOLDER, path=str(path), reason="it holds something already; an export needs a new folder"
            )
        for part in ("receipts", "openings"):
            (path / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        count_receipts = count_openings = 0
        for signed in receipts:
            found = receipt_hash(signed.receipt, signed.salt)
            name = (
                f"{address_of_key(signed.receipt.till).hex()[:16]}-{signed.receipt.sequence:08}-{found.hex()[:8]}.bin"
            )
            (path / "receipts" / name).write_bytes(encode_receipt(signed))
            count_receipts += 1
        for opening in openings:
            name = f"{opening.member.hex()[:16]}-{opening.period}-{opening.salt.hex()[:8]}.json"
            (path / "openings" / name).write_text(json.dumps(opening_to_mapping(opening)), encoding="utf-8")
            count_openings += 1
        document = {
            "format": FORMAT,
            "version": VERSION,
            "chain_id": chain_id.hex(),
            "program": program.hex(),
            "covers": covers,
        }
        (path / MANIFEST_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as fault:
        raise WalletError(BAD_FOLDER, path=str(path), reason=fault.strerror or "it cannot be written") from None
    return Written(count_receipts, count_openings)


@dataclass(frozen=True, slots=True)
class Merged:
    """Receipts and openings out of several folders, each once; `left_aside` counts files that are neither, or another program's."""

    receipts: list[SignedReceipt]
    openings: list[Opening]
    left_aside: int


def merge_folders(paths: Iterable[Path], program: ProgramId) -> Merged:
    """What an export is made from. Raises WalletError receipts.bad_folder: nothing damaged is handed on unseen."""
    receipts: dict[bytes, SignedReceipt] = {}
    openings: dict[Opening, None] = {}
    left_aside = 0
    for path in paths:
        found = read_folder(path)
        if found.unreadable:
            name, reason = found.unreadable[0]
            raise WalletError(BAD_FOLDER, path=str(path), reason=f"{name} can't be read: {reason}")
        for _, signed in found.receipts:
            if signed.receipt.program == program:
                receipts[receipt_hash(signed.receipt, signed.salt)] = signed
            else:
                left_aside += 1
        openings.update(dict.fromkeys(opening for _, opening in found.openings))
        left_aside += len(found.foreign)
    return Merged(list(receipts.values()), list(openings), left_aside)
