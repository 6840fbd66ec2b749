"""Addresses and other ids as text: Bech32m with witness version 1 and a payload of 32 bytes (BIP-350, BIP-173).

A text is `prefix ‖ "1" ‖ version ‖ payload ‖ checksum`, 60 characters and the prefix. The prefix says what the id names and
on which network, so an address of one network, or the id of a program, is refused where an address of another is expected.
Upper case is accepted (QR codes are smaller with it), mixed case is not; lower case is what we write.

The library `bech32m` computes the checksum and converts bits. What it rejects it rejects without a reason, so the reasons
are found here, in the order: length of the text, case, characters, separator, checksum, prefix, length of the payload,
version, padding.
"""

# bech32m carries its types inline but no py.typed marker, and strict mode would ask for stubs of it.
# pyright: reportMissingTypeStubs=false

from typing import Final

from bech32m import encode
from bech32m.codecs import CHARSET, DecodeError, Encoding, bech32_decode, convertbits

from ledger.errors import Code, Malformed
from ledger.types import Address

WITNESS_VERSION: Final = 1
"""The version that Bech32m begins with; version 0 would be plain Bech32, which does not notice some insertions."""
PAYLOAD_BYTES: Final = 32
PAYLOAD_CHARACTERS: Final = 52
"""32 bytes in groups of five bits; the last group holds four bits of padding, which are zero."""
TEXT_LENGTH_MAX: Final = 90
"""BIP-173: beyond 90 characters the checksum does not find every four errors."""
PREFIX_LENGTH_MAX: Final = TEXT_LENGTH_MAX - 60

_ADVICE = "Copy the whole address again, from the app or the QR code."
TOO_LONG = Code("address.too_long", "{length} characters are more than an address can have", _ADVICE)
MIXED_CASE = Code("address.mixed_case", "upper and lower case are mixed", "Write the address in lower case only.")
CHARACTER = Code("address.character", "the character at position {position} cannot stand in an address", _ADVICE)
SEPARATOR = Code("address.separator", "the 1 between prefix and data is missing or comes first", _ADVICE)
CHECKSUM = Code("address.checksum", "the checksum is wrong: something is mistyped or missing", _ADVICE)
WRONG_NETWORK = Code(
    "address.wrong_network",
    "the prefix is {found}, expected is {expected}",
    "Use an id of this network and of this kind.",
)
VERSION = Code("address.version", "the version is {found}, expected is 1", "Use an address that this program made.")
LENGTH = Code("address.length", "the payload has not 32 bytes", "Use an address that this program made.")
PADDING = Code("address.padding", "the padding is not zero", "Use an address that this program made.")


def encode_id(prefix: str, payload: bytes) -> str:
    """The text of any 32-byte id. `prefix`: 1 to 30 lower-case letters that name the network and what the id is of."""
    assert 0 < len(prefix) <= PREFIX_LENGTH_MAX and prefix.isascii(), "a prefix has 1 to 30 ASCII characters"
    assert prefix == prefix.lower() and prefix.isprintable() and " " not in prefix, "a prefix is lower case and visible"
    assert len(payload) == PAYLOAD_BYTES, "an id has 32 bytes"
    return encode(prefix, WITNESS_VERSION, payload)


def decode_id(prefix: str, text: str) -> bytes:
    """The 32 bytes of an id with this prefix. Raises Malformed with one of the codes of this module."""
    _check_characters(text)
    try:
        found, groups, encoding = bech32_decode(text)
    except DecodeError:
        raise Malformed(CHECKSUM) from None
    if encoding is not Encoding.BECH32M:
        raise Malformed(CHECKSUM)
    if found != prefix:
        raise Malformed(WRONG_NETWORK, found=found, expected=prefix)
    if len(groups) != 1 + PAYLOAD_CHARACTERS:
        raise Malformed(LENGTH)
    if groups[0] != WITNESS_VERSION:
        raise Malformed(VERSION, found=groups[0])
    try:
        return bytes(convertbits(groups[1:], 5, 8, pad=False))
    except DecodeError:
        raise Malformed(PADDING) from None


def encode_address(prefix: str, address: Address) -> str:
    """The text of an account's address on the network with this prefix."""
    return encode_id(prefix, address)


def decode_address(prefix: str, text: str) -> Address:
    """The address that a text stands for, on the network with this prefix. Raises Malformed like `decode_id`."""
    return Address(decode_id(prefix, text))


def _check_characters(text: str) -> None:
    """Length, case, characters and separator, before any arithmetic. Positions count from 1."""
    if len(text) > TEXT_LENGTH_MAX:
        raise Malformed(TOO_LONG, length=len(text))
    if text not in (text.lower(), text.upper()):
        raise Malformed(MIXED_CASE)
    separator = text.rfind("1")
    for position, character in enumerate(text):
        if not "!" <= character <= "~" or (0 <= separator < position and character.lower() not in CHARSET):
            raise Malformed(CHARACTER, position=position + 1)
    if separator < 1:
        raise Malformed(SEPARATOR)
