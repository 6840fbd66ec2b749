"""BIP-39: the published English vectors, and each way a phrase can be wrong."""

import json
from pathlib import Path

import pytest

from api.wallet import mnemonic
from api.wallet.errors import WalletError
from api.wallet.mnemonic import Entropy

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors/bip39/english.json").read_text())
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def test_reads_all_published_vectors() -> None:
    for vector in VECTORS:
        entropy = Entropy(bytes.fromhex(vector["entropy"]))
        assert mnemonic.spell_entropy(entropy) == vector["phrase"]
        assert mnemonic.read_entropy(vector["phrase"]) == entropy
        assert mnemonic.derive_master_seed(vector["phrase"], "TREZOR").hex() == vector["seed"]
    assert len(VECTORS) == 24


def test_new_phrase_has_24_words_and_reads_back() -> None:
    asked: list[int] = []

    def count_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    phrase = mnemonic.create_phrase(count_bytes)
    assert asked == [32]
    assert len(phrase.split(" ")) == 24
    assert mnemonic.read_entropy(phrase) == bytes(range(32))
    assert mnemonic.create_phrase() != mnemonic.create_phrase()


def test_forgives_case_and_spacing() -> None:
    assert mnemonic.check_phrase("  " + PHRASE.upper().replace(" ", " \t\n") + " ") == PHRASE


def test_passphrase_makes_another_wallet_and_is_normalised() -> None:
    plain = mnemonic.derive_master_seed(PHRASE)
    assert mnemonic.derive_master_seed(PHRASE, "x") != plain
    assert mnemonic.derive_master_seed(PHRASE, "\u00e9") == mnemonic.derive_master_seed(PHRASE, "e\u0301")


@pytest.mark.parametrize(
    ("text", "code", "fields"),
    [
        ("", mnemonic.WORD_COUNT, {"count": 0}),
        ("zoo " * 13, mnemonic.WORD_COUNT, {"count": 13}),
        (PHRASE + " " * 2000, mnemonic.WORD_COUNT, {"count": 12}),
        (PHRASE.replace("year", "yeer"), mnemonic.UNKNOWN_WORD, {"position": 4}),
        (PHRASE.replace("yellow", "zoo"), mnemonic.BAD_CHECKSUM, {}),
        (" ".join(reversed(PHRASE.split())), mnemonic.BAD_CHECKSUM, {}),
    ],
)
def test_wrong_phrases_have_codes_and_tell_no_secret(text: str, code: object, fields: dict[str, int]) -> None:
    with pytest.raises(WalletError) as caught:
        mnemonic.check_phrase(text)
    assert caught.value.code == code
    assert caught.value.fields == fields


def test_wrong_entropy_and_passphrase() -> None:
    with pytest.raises(WalletError) as caught:
        mnemonic.spell_entropy(Entropy(bytes(17)))
    assert caught.value.code == mnemonic.BAD_ENTROPY
    with pytest.raises(WalletError) as caught:
        mnemonic.derive_master_seed(PHRASE, "x" * 1025)
    assert caught.value.code == mnemonic.PASSPHRASE_TOO_LONG
