"""The keys of the loyalty domain's records, byte by byte as the spec has them."""

from hashlib import sha256

from ledger.domains.loyalty.contests import contest_id_of
from ledger.domains.loyalty.state import (
    batch_key,
    books_key,
    contest_key,
    days_key,
    grant_key,
    member_key,
    program_key,
    terms_key,
)
from ledger.hashing import CONTEST
from ledger.types import ContestId, Day, Hash, ProgramId, PublicKey
from tests.support.shop import FAN, TILL

PROGRAM = ProgramId(sha256(b"program").digest())
OTHER = sha256(b"something else").digest()


def test_a_key_is_a_letter_and_what_names_the_record() -> None:
    assert program_key(PROGRAM) == b"B" + PROGRAM
    assert books_key(PROGRAM) == b"K" + PROGRAM
    assert terms_key(PROGRAM, 0x01020304) == b"T" + PROGRAM + bytes((1, 2, 3, 4))
    assert days_key(PROGRAM, Day(0x01020304)) == b"D" + PROGRAM + bytes((1, 2, 3, 4))
    assert grant_key(PROGRAM, TILL.address) == b"G" + PROGRAM + TILL.address
    assert member_key(PROGRAM, FAN.address) == b"M" + PROGRAM + FAN.address
    assert batch_key(Hash(OTHER)) == b"E" + OTHER
    assert contest_key(ContestId(OTHER)) == b"X" + OTHER


def test_a_contest_is_named_by_its_till_and_number() -> None:
    till = PublicKey(TILL.key)
    assert contest_id_of(PROGRAM, till, 0x0102) == CONTEST(PROGRAM + till + bytes((0, 0, 0, 0, 0, 0, 1, 2)))
