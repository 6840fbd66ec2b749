"""Which of this project's files a file is: no command overwrites one of another kind, unless it is told to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from api.cli.output import UsageFault
from ledger.errors import Code, LedgerError

UNKNOWN: Final = "something else"
PROOF: Final = "a proof"
DUMP: Final = "a dump"
REPORT: Final = "an audit's report"
ANSWERS: Final = "ranks or scores of `fansumer personalize`"
MODELS: Final = "trained models"
TEXTS: Final = {
    "fansumer-receipt-link:": "the text of a QR code that names a receipt at a node",
    "fansumer-receipt:": "a receipt, as the text of a till's QR code",
    "fansumer-offer:": "a personal offer",
    "fansumer-voucher:": "vouchers for joining",
}
READ_BYTES_MAX: Final = 2**24
"""How much of a file is looked at: every kind but a dump is smaller, and a dump says at its beginning what it is."""
PARQUET_START: Final = b"PAR1"
ANSWERS_MARK: Final = b"fansumer.personalize"
MODELS_START: Final = b"fansumer-models "
REPORT_START: Final = b"<!DOCTYPE html>"
REPORT_TITLE: Final = b"<title>Audit of the chain "

OTHER_FILE = Code(
    "cli.other_file",
    "the file {path} is there already, and it is {found}, not {wanted}",
    "Name another file, or move that one away. A command that has --force overwrites it then, whatever it is but a wallet.",
)


def refuse_other_file(path: Path, wanted: str, *, force: bool = False) -> None:
    """Raise UsageFault cli.other_file where a file of another kind would be overwritten; an empty file is of every kind.

    A terminal or a pipe is nothing that could be overwritten.
    """
    if force or not path.is_file() or path.stat().st_size == 0:
        return
    found = kind_of_file(path)
    if found != wanted:
        raise UsageFault(OTHER_FILE, path=str(path), found=found, wanted=wanted)


def kind_of_file(path: Path) -> str:
    """What a file is, in words. Raises OSError."""
    with path.open("rb") as file:
        found = kind_of(file.read(READ_BYTES_MAX))
    return DUMP if found == UNKNOWN and _is_dump(path) else found


def kind_of(data: bytes) -> str:
    """What bytes are, in words. A receipt is one of its own kind: another one in its place would be a promise that is lost."""
    readers: tuple[Callable[[bytes], str], ...] = (
        _document_kind,
        _report_kind,
        _answers_kind,
        _models_kind,
        _proof_kind,
        _receipt_kind,
    )
    return next((found for found in (read(data) for read in readers) if found), UNKNOWN)


def describe_file(path: Path) -> str:
    """What a file is, in more words than those by which nothing is overwritten: for somebody who named the wrong one."""
    try:
        found = kind_of_file(path)
        with path.open("rb") as file:
            data = file.read(READ_BYTES_MAX)
    except OSError as fault:
        return fault.strerror or "a file that cannot be read"
    if found != UNKNOWN:
        return found
    if not data:
        return "an empty file"
    readers: tuple[Callable[[bytes], str], ...] = (_signed_kind, _text_kind)
    return next((kind for kind in (read(data) for read in readers) if kind), UNKNOWN)


def _signed_kind(data: bytes) -> str:
    """What else tills, shops and fans sign."""
    from api.wallet.returns import decode_draft
    from ledger.domains.loyalty.returns import decode_return
    from ledger.domains.rewards.acceptance import decode_acceptance

    readers: tuple[tuple[Callable[[bytes], object], str], ...] = (
        (decode_draft, "the draft of a return"),
        (decode_return, "a return that a fan signed"),
        (decode_acceptance, "a shop's acceptance"),
    )
    for read, name in readers:
        try:
            read(data)
        except LedgerError:
            continue
        return name
    return ""


def _text_kind(data: bytes) -> str:
    """The texts of QR codes say what they are; of other texts the most is said that can be seen."""
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return ""
    found = next((name for start, name in TEXTS.items() if text.startswith(start)), "")
    return found or ("a JSON file of another program" if text[:1] in ("{", "[") else "a text")


def _document_kind(data: bytes) -> str:
    """JSON of ours names its format."""
    try:
        document: Any = json.loads(data) if data.lstrip()[:1] == b"{" else None
    except (ValueError, RecursionError):
        return ""
    name = document.get("format") if isinstance(document, dict) else None
    return f"a file of the format {name[:40]}" if isinstance(name, str) and name.startswith("fansumer") else ""


def _report_kind(data: bytes) -> str:
    return REPORT if data.startswith(REPORT_START) and REPORT_TITLE in data[:2_000] else ""


def _answers_kind(data: bytes) -> str:
    """A Parquet file ends with its metadata, in which these commands name themselves."""
    return ANSWERS if data.startswith(PARQUET_START) and ANSWERS_MARK in data else ""


def _models_kind(data: bytes) -> str:
    return MODELS if data.startswith(MODELS_START) else ""


def _proof_kind(data: bytes) -> str:
    from ledger.proofs import PROOF_BYTES_MAX, read_proof

    try:
        read_proof(data[: PROOF_BYTES_MAX + 1])
    except LedgerError:
        return ""
    return PROOF


def _receipt_kind(data: bytes) -> str:
    from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX, decode_receipt, receipt_hash

    try:
        signed = decode_receipt(data[: RECEIPT_BYTES_MAX + 1])
    except LedgerError:
        return ""
    return f"the receipt {receipt_hash(signed.receipt, signed.salt).hex()}"


def _is_dump(path: Path) -> bool:
    from node.dump import DumpReader
    from node.errors import NodeError

    try:
        with DumpReader(path):
            return True
    except NodeError:
        return False
