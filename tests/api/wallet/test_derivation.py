"""SLIP-0010 for Ed25519: the published vectors, our two path schemes, and their limits."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.wallet import derivation
from api.wallet.errors import WalletError
from api.wallet.mnemonic import MasterSeed, derive_master_seed
from ledger.types import ProgramId

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors/slip10/ed25519.json").read_text())
MASTER = derive_master_seed("abandon " * 11 + "about")
PROGRAM = ProgramId(bytes(range(32)))


def test_reads_all_published_vectors() -> None:
    for vector in VECTORS:
        levels = derivation.parse_path(vector["path"])
        assert derivation.format_path(levels) == vector["path"]
        seed = derivation.derive_seed(MasterSeed(bytes.fromhex(vector["seed"])), levels)
        assert seed.hex() == vector["private"]
        public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        assert "00" + public_key.public_bytes_raw().hex() == vector["public"]
    assert len(VECTORS) == 12


def test_main_accounts() -> None:
    assert derivation.format_path(derivation.make_main_path()) == "m/44'/7411'/0'/0'"
    assert derivation.make_main_path(7) == (44, 7411, 0, 7)
    assert derivation.derive_main_seed(MASTER) == derivation.derive_seed(MASTER, (44, 7411, 0, 0))
    assert len({derivation.derive_main_seed(MASTER, index) for index in range(20)}) == 20


def test_program_account_is_the_first_186_bits_of_the_hash_of_the_program_id() -> None:
    bits = "".join(f"{byte:08b}" for byte in sha256(PROGRAM).digest())
    expected = tuple(int(bits[31 * level : 31 * level + 31], 2) for level in range(6))
    assert derivation.make_program_path(PROGRAM) == (44, 7411, 1, *expected)
    assert derivation.derive_program_seed(MASTER, PROGRAM) == derivation.derive_seed(MASTER, (44, 7411, 1, *expected))


def test_golden_seeds_never_change() -> None:
    """A change here loses every fan's accounts: a new scheme needs new roles instead."""
    assert derivation.format_path(derivation.make_program_path(PROGRAM)) == GOLDEN_PATH
    assert derivation.derive_program_seed(MASTER, PROGRAM).hex() == GOLDEN_PROGRAM
    assert derivation.derive_main_seed(MASTER).hex() == GOLDEN_MAIN


def test_programs_and_wallets_do_not_share_accounts() -> None:
    programs = [ProgramId(sha256(bytes([number])).digest()) for number in range(50)]
    other = derive_master_seed("abandon " * 11 + "about", "another")
    seeds = {derivation.derive_program_seed(master, program) for master in (MASTER, other) for program in programs}
    assert len(seeds) == 100


@pytest.mark.parametrize(
    "text",
    [
        *("", "44'", "m/", "m/0", "m/0'/1", "m/-1'", "m/+1'", "m/01'", "m/1_0'", "m/\u0661'", "m//0'", "m/'", "M/0'"),
        *("m/2147483648'", "m" + "/0'" * 17, "m/" + "9" * 5000 + "'", "m" + "/0'" * 5000),
    ],
)
def test_bad_paths(text: str) -> None:
    with pytest.raises(WalletError) as caught:
        derivation.parse_path(text)
    assert caught.value.code == derivation.BAD_PATH


def test_limits_of_paths() -> None:
    assert derivation.parse_path("m") == ()
    assert derivation.parse_path("m/2147483647h/0H") == (2**31 - 1, 0)
    assert len(derivation.parse_path("m" + "/2147483647'" * 16)) == 16
    for index in (-1, 2**31):
        with pytest.raises(WalletError) as caught:
            derivation.derive_main_seed(MASTER, index)
        assert caught.value.code == derivation.BAD_PATH
    with pytest.raises(WalletError) as caught:
        derivation.derive_seed(MASTER, [0] * 17)
    assert caught.value.code == derivation.BAD_PATH


def test_bad_seed_and_program() -> None:
    for count in (15, 65):
        with pytest.raises(WalletError) as caught:
            derivation.derive_main_seed(MasterSeed(bytes(count)))
        assert caught.value.code == derivation.BAD_SEED
    with pytest.raises(WalletError) as caught:
        derivation.make_program_path(ProgramId(bytes(31)))
    assert caught.value.code == derivation.BAD_PROGRAM


GOLDEN_PATH = "m/44'/7411'/1'/830924436'/1504775385'/1377979017'/196814260'/2141230372'/1909241547'"
GOLDEN_PROGRAM = "dc3ca5d5484279c7a1474c90c27f9773184e2cd684bd8eba95a91878b317dd26"
GOLDEN_MAIN = "2fb3b515a92b1cddbc26889bdb8b6e8f3d9708b9701bd79bdfe3aa37024a70b5"
