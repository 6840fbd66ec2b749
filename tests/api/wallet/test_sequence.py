from pathlib import Path

import pytest

from api.wallet.errors import WalletError
from api.wallet.sequence import (
    BAD_SEQUENCE,
    NUMBER_TAKEN,
    SERVED_ELSEWHERE,
    hand_numbers_to,
    kept_receipt,
    sign_numbered,
    take_sequence,
)
from ledger.types import INTEGER_MAX, Address, ProgramId
from tests.support.refusal import refused

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


def test_a_receipt_is_kept_before_its_number_counts(tmp_path: Path) -> None:
    number, receipt, kept = sign_numbered(tmp_path, PROGRAM, TILL, lambda number: b"receipt %d" % number)
    assert (number, receipt, kept.read_bytes()) == (0, b"receipt 0", b"receipt 0")
    assert take_sequence(tmp_path, PROGRAM, TILL) == 1

    def refuse(number: int) -> bytes:
        raise WalletError(BAD_SEQUENCE, path="", reason=f"no {number}")

    with pytest.raises(WalletError, match="no 2"):
        sign_numbered(tmp_path, PROGRAM, TILL, refuse)
    assert sign_numbered(tmp_path, PROGRAM, TILL, lambda number: b"")[0] == 2, "what was not signed uses no number"


def test_a_crash_between_receipt_and_counter_gives_no_number_twice(tmp_path: Path) -> None:
    take_sequence(tmp_path, PROGRAM, TILL)
    kept_receipt(tmp_path, PROGRAM, TILL, 1).write_bytes(b"signed before the crash")
    assert sign_numbered(tmp_path, PROGRAM, TILL, lambda number: b"")[0] == 2
    kept_receipt(tmp_path, PROGRAM, TILL, 3).write_bytes(b"signed before the crash")
    assert hand_numbers_to(tmp_path, PROGRAM, TILL, "store") == 4


def test_numbers_are_given_by_one(tmp_path: Path) -> None:
    assert hand_numbers_to(tmp_path / "new", PROGRAM, TILL, "aa") == 1
    assert [take_sequence(tmp_path, PROGRAM, TILL) for _ in range(5)][-1] == 4
    assert [hand_numbers_to(tmp_path, PROGRAM, TILL, "aa") for _ in range(2)] == [5, 5]
    for take in (
        lambda: hand_numbers_to(tmp_path, PROGRAM, TILL, "bb"),
        lambda: take_sequence(tmp_path, PROGRAM, TILL),
        lambda: sign_numbered(tmp_path, PROGRAM, TILL, lambda number: b""),
    ):
        with pytest.raises(WalletError) as fault:
            take()
        assert fault.value.code.name == "sequence.served"
    (path,) = tmp_path.glob("*.sequence")
    for text in ("served", "served x aa", "served 5", "served 5 aa bb"):
        path.write_text(text)
        with pytest.raises(WalletError):
            hand_numbers_to(tmp_path, PROGRAM, TILL, "aa")


def test_a_number_that_is_named_is_not_a_taken_one_and_the_count_goes_on_from_it(tmp_path: Path) -> None:
    def sign(number: int) -> bytes:
        return b"%d" % number

    assert sign_numbered(tmp_path, PROGRAM, TILL, sign, 7)[:2] == (7, b"7")
    for taken in (0, 7):
        with refused(NUMBER_TAKEN, WalletError, number=taken, next=8):
            sign_numbered(tmp_path, PROGRAM, TILL, sign, taken)
    assert sign_numbered(tmp_path, PROGRAM, TILL, sign, 8)[0] == 8
    kept_receipt(tmp_path, PROGRAM, TILL, 20).write_bytes(b"signed before a crash")
    with refused(NUMBER_TAKEN, WalletError, number=20):
        sign_numbered(tmp_path, PROGRAM, TILL, sign, 20)
    assert sign_numbered(tmp_path, PROGRAM, TILL, sign)[0] == 9


@pytest.mark.parametrize("content", [b"", b"x", b"\xff"])
def test_a_number_that_is_named_mends_a_counter_that_says_nothing(tmp_path: Path, content: bytes) -> None:
    take_sequence(tmp_path, PROGRAM, TILL)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    assert sign_numbered(tmp_path, PROGRAM, TILL, lambda number: b"", 12)[0] == 12
    assert take_sequence(tmp_path, PROGRAM, TILL) == 13


def test_no_number_is_named_where_a_service_gives_them(tmp_path: Path) -> None:
    hand_numbers_to(tmp_path, PROGRAM, TILL, "aa")
    with refused(SERVED_ELSEWHERE, WalletError):
        sign_numbered(tmp_path, PROGRAM, TILL, lambda number: b"", 100)
