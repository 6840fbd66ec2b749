"""The words that a person writes down: BIP-39 in English, 24 words for a new wallet.

The phrase alone (with the optional passphrase, which is stored nowhere) brings back every account: see `derivation`.
"""

import os
import unicodedata
from collections.abc import Callable
from typing import Final, NewType

from mnemonic import Mnemonic

from api.wallet.errors import WalletError
from ledger.errors import Code

Phrase = NewType("Phrase", str)
"""English words, lower case, one space between them, checksum verified."""

Entropy = NewType("Entropy", bytes)
"""The 16, 20, 24, 28 or 32 random bytes that a phrase spells."""

MasterSeed = NewType("MasterSeed", bytes)
"""The 64 bytes that BIP-39 makes from a phrase and a passphrase: the root of all derivation."""

NEW_ENTROPY_BYTES: Final = 32
"""A new phrase has 24 words: 256 bits, so that no shortcut is needed to defend the choice."""

WORD_COUNTS: Final = (12, 15, 18, 21, 24)
ENTROPY_BYTE_COUNTS: Final = (16, 20, 24, 28, 32)

PHRASE_CHARACTERS_MAX: Final = 1024
"""24 words of at most 8 letters are 215 characters; anything far above is no phrase and is not looked at."""

PASSPHRASE_BYTES_MAX: Final = 1024

WORD_COUNT = Code(
    "mnemonic.word_count",
    "the phrase has {count} words, not 12, 15, 18, 21 or 24",
    "Enter all words in their order, separated by spaces.",
)
UNKNOWN_WORD = Code(
    "mnemonic.unknown_word",
    "word {position} is not in the BIP-39 English list",
    "Compare that word with your paper; the first four letters of each word are unique.",
)
BAD_CHECKSUM = Code(
    "mnemonic.bad_checksum",
    "all words are known, but their checksum does not fit",
    "A word was mistaken for another, or two changed places: compare the phrase with your paper.",
)
BAD_ENTROPY = Code(
    "mnemonic.bad_entropy",
    "{count} bytes of entropy cannot be spelled; it must be 16, 20, 24, 28 or 32",
    "Let the wallet make the entropy.",
)
PASSPHRASE_TOO_LONG = Code(
    "mnemonic.passphrase_too_long",
    "the passphrase has {count} bytes, more than {limit}",
    "Use a shorter passphrase.",
)

_ENGLISH: Final = Mnemonic("english")
_WORDS: Final = frozenset(_ENGLISH.wordlist)


def create_phrase(random_bytes: Callable[[int], bytes] = os.urandom) -> Phrase:
    """A new phrase of 24 words; `random_bytes` must be a source fit for keys."""
    return spell_entropy(Entropy(random_bytes(NEW_ENTROPY_BYTES)))


def spell_entropy(entropy: Entropy) -> Phrase:
    """The phrase that spells this entropy. Raises WalletError mnemonic.bad_entropy."""
    if len(entropy) not in ENTROPY_BYTE_COUNTS:
        raise WalletError(BAD_ENTROPY, count=len(entropy))
    return Phrase(_ENGLISH.to_mnemonic(bytes(entropy)))


def check_phrase(text: str) -> Phrase:
    """The phrase as BIP-39 wants it: NFKD, lower case, single spaces.

    Raises WalletError, in this order: mnemonic.word_count, mnemonic.unknown_word (position from 1),
    mnemonic.bad_checksum.
    """
    words = unicodedata.normalize("NFKD", text[:PHRASE_CHARACTERS_MAX]).lower().split()
    if len(words) not in WORD_COUNTS or len(text) > PHRASE_CHARACTERS_MAX:
        raise WalletError(WORD_COUNT, count=len(words))
    for position, word in enumerate(words, start=1):
        if word not in _WORDS:
            raise WalletError(UNKNOWN_WORD, position=position)
    phrase = " ".join(words)
    if not _ENGLISH.check(phrase):
        raise WalletError(BAD_CHECKSUM)
    return Phrase(phrase)


def read_entropy(text: str) -> Entropy:
    """The entropy that a phrase spells. Raises as `check_phrase`."""
    return Entropy(bytes(_ENGLISH.to_entropy(check_phrase(text))))


def derive_master_seed(text: str, passphrase: str = "") -> MasterSeed:
    """The 64-byte seed of a phrase and its optional BIP-39 passphrase (PBKDF2-HMAC-SHA512, 2048 rounds).

    Every passphrase gives a valid, different wallet: there is no wrong one to report. Raises as `check_phrase`, and
    mnemonic.passphrase_too_long.
    """
    phrase = check_phrase(text)
    count = len(passphrase.encode("utf-8", "surrogatepass"))
    if count > PASSPHRASE_BYTES_MAX:
        raise WalletError(PASSPHRASE_TOO_LONG, count=count, limit=PASSPHRASE_BYTES_MAX)
    return MasterSeed(Mnemonic.to_seed(phrase, passphrase))
