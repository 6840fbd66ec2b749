"""A till's running number: each receipt has one of its own, also after a crash.

The counter of a key and program is one small file. It holds the next number, or, where `fansumer till serve` has taken the
numbers over, the word `served`, the number it began with, and the name of the store that counts now.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from api.wallet.errors import WalletError
from api.wallet.whole_file import only_one, write_whole
from ledger.errors import Code
from ledger.types import INTEGER_MAX, Address, ProgramId

FILE_CHARACTERS_MAX: Final = 128
SERVED: Final = "served"

BAD_SEQUENCE = Code(
    "sequence.bad_file",
    "the till's counter {path} cannot be used: {reason}",
    "Name the receipt's number with --sequence, above the last one used: the count goes on from there.",
)
NUMBER_TAKEN = Code(
    "sequence.taken",
    "the number {number} is taken: the next one of this till is {next}",
    "Leave --sequence out, or name a number from there on: two receipts with one number, and neither is settled.",
)
SERVED_ELSEWHERE = Code(
    "sequence.served",
    "the numbers of this key are given by `fansumer till serve`, from another store than this: {path} says which",
    "Sell through that service, or grant another key: two that count would use a number twice.",
)


def take_sequence(folder: Path, program: ProgramId, till: Address) -> int:
    """The next number, on disk before it is used: a number may be left out, none is given twice, also by two tills at once.

    Raises WalletError sequence.bad_file, sequence.served.
    """
    path = _counter(folder, program, till)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            number = _read_number(path)
            write_whole(path, f"{number + 1}\n".encode("ascii"))
    except OSError as fault:
        raise WalletError(BAD_SEQUENCE, path=str(path), reason=fault.strerror or "unknown reason") from None
    return number


def sign_numbered(
    folder: Path, program: ProgramId, till: Address, sign: Callable[[int], bytes], wanted: int | None = None
) -> tuple[int, bytes, Path]:
    """Let `sign` make a receipt with the next number; returns the number, the receipt, and the file beside the counter with it.

    `wanted` is a number that is not taken, to go on from; where the counter cannot be read, the caller knows which one that is.

    The receipt is on disk before its number counts as used, so no number is lost to a fault: where the process stops between the
    two, the number belongs to the receipt that lies there. Who has put the receipt where it belongs removes the file. Raises
    WalletError sequence.bad_file, sequence.served, sequence.taken, and what `sign` raises, which uses no number.
    """
    path = _counter(folder, program, till)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            number = _read_number(path, is_named=wanted is not None)
            while kept_receipt(folder, program, till, number).exists():
                number += 1
            if wanted is not None:
                if wanted < number or kept_receipt(folder, program, till, wanted).exists():
                    raise WalletError(NUMBER_TAKEN, number=wanted, next=number)
                number = wanted
            kept = kept_receipt(folder, program, till, number)
            receipt = sign(number)
            write_whole(kept, receipt, replace=False)
            write_whole(path, f"{number + 1}\n".encode("ascii"))
    except OSError as fault:
        raise WalletError(BAD_SEQUENCE, path=str(path), reason=fault.strerror or "unknown reason") from None
    return number, receipt, kept


def hand_numbers_to(folder: Path, program: ProgramId, till: Address, store: str) -> int:
    """From now on `store` (its name, in letters and digits) gives the numbers; returns its first one, the same when asked again.

    Raises WalletError sequence.bad_file, sequence.served.
    """
    assert store.isalnum(), "a store's name has letters and digits"
    path = _counter(folder, program, till)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            words = _read_words(path)
            if words[:1] == [SERVED] and words[2:] == [store] and _is_number(words[1]):
                return int(words[1])
            number = max(_read_number(path), 1)
            while kept_receipt(folder, program, till, number).exists():
                number += 1
            write_whole(path, f"{SERVED} {number} {store}\n".encode("ascii"))
    except OSError as fault:
        raise WalletError(BAD_SEQUENCE, path=str(path), reason=fault.strerror or "unknown reason") from None
    return number


def kept_receipt(folder: Path, program: ProgramId, till: Address, number: int) -> Path:
    """Where the receipt with a number lies until it is where it belongs."""
    return folder / f"{program.hex()}-{till.hex()}-{number}.receipt"


def _counter(folder: Path, program: ProgramId, till: Address) -> Path:
    return folder / f"{program.hex()}-{till.hex()}.sequence"


def _read_words(path: Path) -> list[str]:
    """What the counter says; a new one says 0. Raises WalletError sequence.bad_file, OSError."""
    if not path.exists():
        return ["0"]
    try:
        with path.open("r", encoding="ascii") as file:
            return file.read(FILE_CHARACTERS_MAX).split()
    except UnicodeDecodeError:
        raise WalletError(BAD_SEQUENCE, path=str(path), reason="it holds no number") from None


def _read_number(path: Path, *, is_named: bool = False) -> int:
    """The next number. `is_named`: what the file should say is known otherwise, so one that says nothing is taken for a new one."""
    try:
        words = _read_words(path)
    except WalletError:
        if is_named:
            return 0
        raise
    if words[:1] == [SERVED]:
        raise WalletError(SERVED_ELSEWHERE, path=str(path))
    if is_named and not (len(words) == 1 and _is_number(words[0])):
        return 0
    if len(words) != 1 or not _is_number(words[0]):
        raise WalletError(BAD_SEQUENCE, path=str(path), reason="it holds no number")
    return int(words[0])


def _is_number(text: str) -> bool:
    return text.isdigit() and len(text) <= len(str(INTEGER_MAX)) and int(text) < INTEGER_MAX
