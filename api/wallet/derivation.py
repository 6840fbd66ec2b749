"""From one master seed to every account: SLIP-0010 for Ed25519, hardened levels only.

    m / 44' / 7411' / 0' / index'                        main accounts, which hold coin; index counts from 0
    m / 44' / 7411' / 1' / p1' / p2' / p3' / p4' / p5' / p6'   the one account for a program
    m / 44' / 7411' / 2' / index'                        keys of attestors, which hold nothing

Coin type 7411 is our own choice and not registered in SLIP-0044. `p1..p6` are the first 186 bits of SHA-256(program id),
31 bits a level, most significant first. So a restored wallet needs only the phrase and the chain's list of programs to find
its accounts again, and no two programs see the same account of a fan: two programs with equal paths would need a collision
of 186 bits, 2**93 work. A path has nine levels, or ten after a rotation; hardware wallets take ten.

An account whose keys were changed to later ones of the same words has the path of its first key and one level more:

    <path of the account> / rotation'           rotation counts from 1

So the words alone find it: the chain tells the hash of the present policy, and the rotations are tried until one fits.

A derived private key is the 32-byte Ed25519 seed itself.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from slip10 import SLIP10

from api.wallet.errors import WalletError
from api.wallet.mnemonic import MasterSeed
from ledger.errors import Code
from ledger.types import PrivateSeed, ProgramId

PURPOSE: Final = 44
COIN_TYPE: Final = 7411
"""Not registered in SLIP-0044."""

MAIN_ROLE: Final = 0
PROGRAM_ROLE: Final = 1
ATTESTOR_ROLE: Final = 2

LEVEL_BITS: Final = 31
PROGRAM_LEVELS: Final = 6
PROGRAM_ID_BYTES: Final = 32

HARDENED: Final = 1 << LEVEL_BITS
INDEX_MAX: Final = HARDENED - 1
DEPTH_MAX: Final = 16
"""Far above our own nine levels; bounds the work that a path can ask for."""

ROTATIONS_MAX: Final = 64
"""How often the keys of one account can be changed to later ones of the same words; so many are tried to find the present one."""

MASTER_SEED_BYTES_MIN: Final = 16
MASTER_SEED_BYTES_MAX: Final = 64

BAD_PATH = Code(
    "derivation.bad_path",
    "the path {path} is not m/a'/b'/... with hardened indexes below 2**31 and at most {limit} levels",
    "Ed25519 has hardened derivation only: write an apostrophe after each index.",
)
BAD_SEED = Code(
    "derivation.bad_seed",
    "a master seed of {count} bytes cannot be used; it must have 16 to 64",
    "Make the seed from a phrase.",
)
BAD_PROGRAM = Code(
    "derivation.bad_program",
    "a program id has 32 bytes, not {count}",
    "Take the program's id from the chain's list of programs.",
)


def make_main_path(index: int = 0) -> tuple[int, ...]:
    """The levels, without the hardened bit, of main account number `index`. Raises WalletError derivation.bad_path."""
    levels = (PURPOSE, COIN_TYPE, MAIN_ROLE, index)
    _check_levels(levels)
    return levels


def make_attestor_path(index: int = 0) -> tuple[int, ...]:
    """The levels, without the hardened bit, of attestor key number `index`. Raises WalletError derivation.bad_path."""
    levels = (PURPOSE, COIN_TYPE, ATTESTOR_ROLE, index)
    _check_levels(levels)
    return levels


def make_program_path(program: ProgramId) -> tuple[int, ...]:
    """The levels, without the hardened bit, of the account for `program`. Raises WalletError derivation.bad_program."""
    if len(program) != PROGRAM_ID_BYTES:
        raise WalletError(BAD_PROGRAM, count=len(program))
    digest_bits = 8 * sha256().digest_size
    number = int.from_bytes(sha256(program).digest(), "big")
    shifts = (digest_bits - LEVEL_BITS * level for level in range(1, PROGRAM_LEVELS + 1))
    return (PURPOSE, COIN_TYPE, PROGRAM_ROLE, *((number >> shift) & INDEX_MAX for shift in shifts))


def make_rotated_path(levels: Sequence[int], rotation: int) -> tuple[int, ...]:
    """The path of an account's key after so many changes; 0 is the first key. Raises WalletError derivation.bad_path."""
    rotated = tuple(levels) if rotation == 0 else (*levels, rotation)
    _check_levels(rotated)
    return rotated


def format_path(levels: Iterable[int]) -> str:
    """The usual text of a path: `m/44'/7411'/0'/0'`."""
    return "/".join(("m", *(f"{level}'" for level in levels)))


def parse_path(text: str) -> tuple[int, ...]:
    """The levels of a written path; `'`, `h` and `H` mark a hardened one. Raises WalletError derivation.bad_path."""
    root, *parts = text[: 16 * DEPTH_MAX].split("/")
    digits = [part[:-1] for part in parts if part[-1:] in ("'", "h", "H")]
    if root != "m" or len(digits) != len(parts) or not all(_is_index(part) for part in digits):
        raise WalletError(BAD_PATH, path=text[:80], limit=DEPTH_MAX)
    levels = tuple(int(part) for part in digits)
    _check_levels(levels)
    return levels


def derive_seed(master: MasterSeed, levels: Sequence[int]) -> PrivateSeed:
    """The Ed25519 seed at a path of hardened levels (SLIP-0010).

    Raises WalletError derivation.bad_seed or derivation.bad_path.
    """
    if not MASTER_SEED_BYTES_MIN <= len(master) <= MASTER_SEED_BYTES_MAX:
        raise WalletError(BAD_SEED, count=len(master))
    _check_levels(levels)
    root = SLIP10.from_seed(bytes(master), curve_name="ed25519")
    seed = root.get_privkey_from_path([level | HARDENED for level in levels])
    assert isinstance(seed, bytes) and len(seed) == 32
    return PrivateSeed(seed)


def derive_main_seed(master: MasterSeed, index: int = 0) -> PrivateSeed:
    """The seed of main account number `index`, which holds coin."""
    return derive_seed(master, make_main_path(index))


def derive_attestor_seed(master: MasterSeed, index: int = 0) -> PrivateSeed:
    """The seed of attestor key number `index`: it signs votes and nothing else."""
    return derive_seed(master, make_attestor_path(index))


def derive_program_seed(master: MasterSeed, program: ProgramId) -> PrivateSeed:
    """The seed of the one account that this wallet shows to `program`."""
    return derive_seed(master, make_program_path(program))


def _is_index(text: str) -> bool:
    """Whether a level is written as a plain decimal number, without sign or leading zero."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and (text == "0" or text[0] != "0")


def _check_levels(levels: Sequence[int]) -> None:
    """Raise derivation.bad_path unless there are at most DEPTH_MAX levels, each within 0..2**31-1."""
    if len(levels) > DEPTH_MAX or not all(0 <= level <= INDEX_MAX for level in levels):
        raise WalletError(BAD_PATH, path=format_path(levels[:DEPTH_MAX]), limit=DEPTH_MAX)
