"""Ed25519 under one strict rule, so that every node gives the same verdict on every signature (protocol, section 3).

A signature (R, S) of a message under a public key A is valid if, in this order:

1. A and S have 32 bytes, R has 32 bytes;
2. S < L, the order of the base point;
3. A and R encode y < p (RFC 8032 leaves the other 38 encodings to the implementer);
4. neither A nor R is one of the 14 encodings of a point of low order;
5. the cofactorless equation [S]B = R + [SHA-512(R ‖ A ‖ message)]A holds.

`cryptography` checks 1, 2 and 5; libraries differ in 3 and 4 (Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs", 2020),
so these are checked here first. RFC 8032 defines the curve: -x**2 + y**2 = 1 + d * x**2 * y**2 modulo p = 2**255 - 19. An
encoding is y in 32 bytes, the lowest first, with the sign of x in the highest bit.
"""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.types import PrivateSeed, PublicKey, Signature

FIELD_PRIME: Final = 2**255 - 19
GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
CURVE_D: Final = -121665 * pow(121666, -1, FIELD_PRIME) % FIELD_PRIME

KEYS_CACHED_MAX: Final = 16_384
"""Decoded public keys that are kept, about 1 kB each: saves 2 us for a key that signs often, such as a till's."""


def _square_root(square: int) -> int | None:
    """A root modulo p, or None (RFC 8032, section 5.1.3: p is 5 modulo 8)."""
    root = pow(square, (FIELD_PRIME + 3) // 8, FIELD_PRIME)
    for candidate in (root, root * pow(2, (FIELD_PRIME - 1) // 4, FIELD_PRIME) % FIELD_PRIME):
        if candidate * candidate % FIELD_PRIME == square:
            return candidate
    return None


def _encodings(y: int) -> tuple[bytes, bytes]:
    """Both encodings with this y, which need not be below p: sign bit clear, sign bit set."""
    return y.to_bytes(32, "little"), (y | 1 << 255).to_bytes(32, "little")


def _low_order_encodings() -> frozenset[bytes]:
    """All encodings of the eight points whose order divides 8, computed from the curve equation.

    Order 1 has y = 1, order 2 y = -1, order 4 y = 0. A point of order 8 doubles to one with y = 0, so its x**2 = -y**2, which
    with the curve equation gives d * y**4 + 2 * y**2 - 1 = 0, that is y**2 = (-1 ± sqrt(1 + d)) / d; one of the two is a
    square. Each y counts with both signs, and once more as y + p where that fits in 255 bits (y = 0 and 1).
    """
    root = _square_root(1 + CURVE_D)
    assert root is not None, "1 + d is a square on this curve"
    values = {1, FIELD_PRIME - 1, 0}
    for numerator in (root - 1, -root - 1):
        y = _square_root(numerator * pow(CURVE_D, -1, FIELD_PRIME) % FIELD_PRIME)
        if y is not None:
            values |= {y, FIELD_PRIME - y}
    values |= {y + FIELD_PRIME for y in values if y + FIELD_PRIME < 2**255}
    return frozenset(encoding for y in values for encoding in _encodings(y))


LOW_ORDER_ENCODINGS: Final = _low_order_encodings()
REFUSED_ENCODINGS: Final = LOW_ORDER_ENCODINGS.union(*(_encodings(y) for y in range(FIELD_PRIME, 2**255)))
"""Rules 3 and 4 in one set: 14 encodings of low order and 38 with y >= p, of which four are both."""
assert len(LOW_ORDER_ENCODINGS) == 14 and len(REFUSED_ENCODINGS) == 48


def public_key_is_strict(public_key: PublicKey) -> bool:
    """Whether rules 1, 3 and 4 admit a public key. That it lies on the curve shows when a signature is verified under it."""
    return len(public_key) == 32 and public_key not in REFUSED_ENCODINGS


@lru_cache(maxsize=KEYS_CACHED_MAX)
def _decode_public_key(public_key: PublicKey) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


def is_admitted(public_key: PublicKey, signature: Signature) -> bool:
    """Whether rules 1 to 4 admit key and signature, before any curve arithmetic. Takes bytes of any length.

    With this before it, every cofactorless verifier gives the same answers (shown for libsodium in tests/node/test_signatures.py).
    """
    if len(signature) != 64:
        return False
    if int.from_bytes(signature[32:], "little") >= GROUP_ORDER or signature[:32] in REFUSED_ENCODINGS:
        return False
    return public_key_is_strict(public_key)


def verify(public_key: PublicKey, message: bytes, signature: Signature) -> bool:
    """Whether the signature is valid under the strict rule. Takes bytes of any length and never raises."""
    if not is_admitted(public_key, signature):
        return False
    try:
        _decode_public_key(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def sign(seed: PrivateSeed, message: bytes) -> Signature:
    """The signature of a message: deterministic, always strict. `seed` has 32 bytes (RFC 8032's private key)."""
    assert len(seed) == 32, "an Ed25519 seed has 32 bytes"
    return Signature(Ed25519PrivateKey.from_private_bytes(seed).sign(message))


def public_key_of(seed: PrivateSeed) -> PublicKey:
    """The public key that belongs to a seed of 32 bytes."""
    assert len(seed) == 32, "an Ed25519 seed has 32 bytes"
    return PublicKey(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
