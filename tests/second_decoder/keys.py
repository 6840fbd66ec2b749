"""The strict rule of Ed25519: KEY-1, and public keys of seeds: KEY-2 (RFC 8032)."""

from hashlib import sha512

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)
LOW_255 = 2**255 - 1

# KEY-1, the y values of points whose order divides 8; the fourteen encodings are these with both sign bits.
SMALL_Y = (
    0,
    1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    PRIME - 1,
    PRIME,
    PRIME + 1,
)
SMALL = {(y | sign << 255).to_bytes(32, "little") for y in SMALL_Y for sign in (0, 1)}
NEUTRAL = (0, 1, 1, 0)


def add(left: tuple, right: tuple) -> tuple:
    """RFC 8032, 5.1.4: the sum of two points in extended coordinates."""
    a = (left[1] - left[0]) * (right[1] - right[0]) % PRIME
    b = (left[1] + left[0]) * (right[1] + right[0]) % PRIME
    c = 2 * left[3] * right[3] * CURVE % PRIME
    d = 2 * left[2] * right[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def multiply(point: tuple, scalar: int) -> tuple:
    """scalar times a point."""
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def decode_point(data: bytes) -> tuple | None:
    """RFC 8032, 5.1.3: a point, or None."""
    number = int.from_bytes(data, "little")
    y, sign = number & LOW_255, number >> 255
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * ROOT_OF_MINUS_ONE % PRIME
    if x * x % PRIME != square or (x == 0 and sign):
        return None
    x = PRIME - x if x & 1 != sign else x
    return x, y, 1, x * y % PRIME


def encode_point(point: tuple) -> bytes:
    """RFC 8032, 5.1.2."""
    inverse = pow(point[2], -1, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little")) or NEUTRAL


def is_usable(key: bytes) -> bool:
    """Whether KEY-1, 3 and 4 admit a public key."""
    return len(key) == 32 and int.from_bytes(key, "little") & LOW_255 < PRIME and key not in SMALL


def is_valid(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is valid by KEY-1, in the order of its five points."""
    if len(key) != 32 or len(signature) != 64:
        return False
    commitment, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    if scalar >= ORDER:
        return False
    for part in (key, commitment):
        if int.from_bytes(part, "little") & LOW_255 >= PRIME or part in SMALL:
            return False
    point = decode_point(key)
    if point is None:
        return False
    challenge = int.from_bytes(sha512(commitment + key + message).digest(), "little") % ORDER
    minus = (PRIME - point[0], point[1], point[2], PRIME - point[3])
    return encode_point(add(multiply(BASE, scalar), multiply(minus, challenge))) == commitment


def public_key(seed: bytes) -> bytes:
    """The public key of a seed (KEY-2; RFC 8032, 5.1.5)."""
    digest = bytearray(sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    return encode_point(multiply(BASE, int.from_bytes(digest, "little")))


def sign(seed: bytes, message: bytes) -> bytes:
    """The deterministic signature of a message (KEY-2; RFC 8032, 5.1.6)."""
    whole = sha512(seed).digest()
    digest = bytearray(whole[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    secret = int.from_bytes(digest, "little")
    key = encode_point(multiply(BASE, secret))
    nonce = int.from_bytes(sha512(whole[32:] + message).digest(), "little") % ORDER
    commitment = encode_point(multiply(BASE, nonce))
    challenge = int.from_bytes(sha512(commitment + key + message).digest(), "little") % ORDER
    return commitment + ((nonce + challenge * secret) % ORDER).to_bytes(32, "little")
