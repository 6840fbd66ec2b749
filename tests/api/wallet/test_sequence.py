from pathlib import Path

import pytest

from api.wallet.errors import WalletError
from api.wallet.sequence import take_sequence
from ledger.types import INTEGER_MAX, Address, ProgramId

PROGRAM, TILL = ProgramId(b"p" * 32), Address(b"t" * 32)


def test_numbers_rise_for_each_till_and_program(tmp_path: Path) -> None:
    folder = tmp_path / "tills"
    assert [take_sequence(folder, PROGRAM, TILL) for _ in range(3)] == [0, 1, 2]
    assert take_sequence(folder, PROGRAM, Address(b"u" * 32)) == 0
    assert take_sequence(folder, ProgramId(b"q" * 32), TILL) == 0
    assert take_sequence(folder, PROGRAM, TILL) == 3


@pytest.mark.parametrize("content", [b"", b"x", b"-1", b"\xff", str(INTEGER_MAX).encode(), b"9" * 5_000])
def test_damaged_counters_are_not_guessed(tmp_path: Path, content: bytes) -> None:
    take_sequence(tmp_path, PROGRAM, TILL)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    with pytest.raises(WalletError) as fault:
        take_sequence(tmp_path, PROGRAM, TILL)
    assert fault.value.code.name == "sequence.bad_file"


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WalletError):
        take_sequence(tmp_path / "file", PROGRAM, TILL)
