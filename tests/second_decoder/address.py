"""Ids of 32 bytes as text: BYTES-7 (BIP-350, BIP-173, BIP-141)."""

from tests.second_decoder.faults import Fault

CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32M = 0x2BC830A3
TEXT_LENGTH_MAX = 90


def polymod(values: list[int]) -> int:
    """BIP-173's checksum of a list of five-bit groups."""
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


def expanded(prefix: str) -> list[int]:
    """The prefix as the checksum reads it."""
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def to_text(prefix: str, identity: bytes) -> str:
    """The Bech32m text of an id."""
    number = int.from_bytes(identity, "big") << 4
    groups = [1] + [number >> (5 * place) & 31 for place in reversed(range(52))]
    check = polymod(expanded(prefix) + groups + [0] * 6) ^ BECH32M
    groups += [check >> (5 * place) & 31 for place in reversed(range(6))]
    return prefix + "1" + "".join(CHARACTERS[group] for group in groups)


def from_text(text: str, prefix: str) -> bytes:
    """The id of a text, or its first fault in the order of BYTES-7."""
    if len(text) > TEXT_LENGTH_MAX:
        raise Fault("address.too_long", str(len(text)))
    if text != text.lower() and text != text.upper():
        raise Fault("address.mixed_case")
    if any(not 33 <= ord(letter) <= 126 for letter in text):
        raise Fault("address.character")
    lower = text.lower()
    found, one, data = lower.rpartition("1")
    if one and any(letter not in CHARACTERS for letter in data):
        raise Fault("address.character")
    if not one or not found or len(data) < 6:
        raise Fault("address.separator")
    groups = [CHARACTERS.index(letter) for letter in data]
    if polymod(expanded(found) + groups) != BECH32M:
        raise Fault("address.checksum")
    if found != prefix:
        raise Fault("address.wrong_network", found)
    groups = groups[:-6]
    if len(groups) != 53:
        raise Fault("address.length", str(len(groups)))
    if groups[0] != 1:
        raise Fault("address.version", str(groups[0]))
    number = 0
    for group in groups[1:]:
        number = number << 5 | group
    if number & 15:
        raise Fault("address.padding")
    return (number >> 4).to_bytes(32, "big")
