"""What a wallet knows of keys that were changed, and how a keystore keeps it."""

from api.wallet.derivation import (
    ROTATIONS_MAX,
    derive_main_seed,
    derive_program_seed,
    derive_seed,
    format_path,
    make_main_path,
    make_program_path,
    make_rotated_path,
)
from api.wallet.key_book import FIRST_KEY, KeyBook, Place, PresentKey
from ledger import keys
from ledger.policy import address_of_key
from ledger.types import Address, Hash, ProgramId
from tests.support.wallet_node import main_signer, master_of

PROGRAM = ProgramId(bytes(range(32)))
MASTER = master_of("fan")
OTHER = Address(bytes(31) + b"\x05")


def test_a_rotation_is_one_level_more() -> None:
    assert make_rotated_path(make_main_path(3), 0) == make_main_path(3)
    assert format_path(make_rotated_path(make_main_path(3), 2)) == "m/44'/7411'/0'/3'/2'"
    assert len(make_rotated_path(make_program_path(PROGRAM), ROTATIONS_MAX)) == 10


def test_places_have_their_first_keys() -> None:
    book = KeyBook(MASTER)
    assert book.signer(Place(2)).seed == derive_main_seed(MASTER, 2)
    assert book.signer(Place(program=PROGRAM)).seed == derive_program_seed(MASTER, PROGRAM)
    assert book.address(Place()) == main_signer("fan").address


def test_a_changed_key_signs_for_the_same_address() -> None:
    book, place = KeyBook(MASTER), Place(program=PROGRAM)
    before = book.signer(place)
    label = book.note(place, PresentKey(2))
    after = book.signer(place)
    assert after.address == before.address != address_of_key(keys.public_key_of(after.seed))
    assert after.seed == derive_seed(MASTER, make_rotated_path(place.path, 2))
    assert book.find_rotation(place, Hash(after.shown_policy().hash)) == 2
    assert book.find_rotation(place, Hash(bytes(32))) is None
    again = KeyBook.of_labels(MASTER, dict([label, ("something else", "7")]))
    assert again.signer(place) == after


def test_an_adopted_account_takes_the_place_of_its_own() -> None:
    book, place = KeyBook(MASTER), Place(1)
    own = book.address(place)
    key, text = book.note(place, PresentKey(0, OTHER))
    assert (key, text) == ("keys/main/1", f"0 {OTHER.hex()}")
    assert (book.address(place), book.signer(place).seed) == (OTHER, derive_main_seed(MASTER, 1))
    assert KeyBook.of_labels(MASTER, {key: text}).address(place) == OTHER
    assert book.note(place, FIRST_KEY) == ("keys/main/1", "")
    assert book.address(place) == own


def test_malformed_labels_say_nothing() -> None:
    for text in ("", "x", "-1", "65", "1 zz", f"1 {'z' * 64}", "1 00"):
        assert PresentKey.from_text(text) == FIRST_KEY


def test_no_seed_is_ever_printed() -> None:
    book = KeyBook(MASTER)
    book.key_at(Place(), 0)
    assert MASTER.hex() not in repr(book) and "seed" not in repr(book)
