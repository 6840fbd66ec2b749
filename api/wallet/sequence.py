"""A till's running number: each receipt has one of its own, also after a crash."""

from pathlib import Path
from typing import Final

from api.wallet.errors import WalletError
from api.wallet.whole_file import only_one, write_whole
from ledger.errors import Code
from ledger.types import INTEGER_MAX, Address, ProgramId

DIGITS_MAX: Final = 20

BAD_SEQUENCE = Code(
    "sequence.bad_file",
    "the till's counter {path} cannot be used: {reason}",
    "Name the receipt's number with --sequence, above the last one used, and mend the file.",
)


def take_sequence(folder: Path, program: ProgramId, till: Address) -> int:
    """The next number, on disk before it is used: a number may be left out, none is given twice, also by two tills at once.

    Raises WalletError sequence.bad_file.
    """
    path = folder / f"{program.hex()}-{till.hex()}.sequence"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            text = path.read_text("ascii")[: DIGITS_MAX + 1].strip() if path.exists() else "0"
            if not text.isdigit() or int(text) > INTEGER_MAX - 1:
                raise WalletError(BAD_SEQUENCE, path=str(path), reason="it holds no number")
            write_whole(path, f"{int(text) + 1}\n".encode("ascii"))
    except UnicodeDecodeError:
        raise WalletError(BAD_SEQUENCE, path=str(path), reason="it holds no number") from None
    except OSError as fault:
        raise WalletError(BAD_SEQUENCE, path=str(path), reason=fault.strerror or "unknown reason") from None
    return int(text)
