"""The coinbase: every byte of the form, read by an independent reader of Bitcoin's transactions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.coinbase import Coinbase, Extranonce, Magic, build, compute_merkle_root, parse, split_for_stratum
from ledger.errors import Malformed
from ledger.types import INTEGER_MAX, Amount, Hash, Height
from tests.support import bitcoin_format

REWARD_SHOWN_MAX = 2_100_000_000_000_000
VARYING = [*range(43, 47), *range(48, 56), *range(61, 69), *range(82, 118)]
coinbases = st.builds(
    Coinbase,
    height=st.integers(0, 2**32 - 1).map(Height),
    extranonce=st.binary(min_size=8, max_size=8).map(Extranonce),
    reward=st.integers(0, REWARD_SHOWN_MAX).map(Amount),
    magic=st.binary(min_size=4, max_size=4).filter(lambda magic: magic.hex() != "aa21a9ed").map(Magic),
    commitment=st.binary(min_size=32, max_size=32).map(Hash),
)


def build_example(
    *,
    height: int = 0x01020304,
    reward: int = 5_000_000_000,
    magic: str = "66616e73",
    extranonce: str = "a0a1a2a3a4a5a6a7",
) -> bytes:
    return build(
        height=Height(height),
        extranonce=Extranonce(bytes.fromhex(extranonce)),
        reward=Amount(reward),
        magic=Magic(bytes.fromhex(magic)),
        commitment=Hash(bytes(range(0xC0, 0xE0))),
    )


def build_from(coinbase: Coinbase) -> bytes:
    return build(
        height=coinbase.height,
        extranonce=coinbase.extranonce,
        reward=coinbase.reward,
        magic=coinbase.magic,
        commitment=coinbase.commitment,
    )


def test_every_byte() -> None:
    expected = (
        "01000000"  # version
        "01"  # inputs
        + "00" * 32
        + "ffffffff"  # no previous output
        + "0e"  # script length
        + "0404030201"  # height
        + "08a0a1a2a3a4a5a6a7"  # extranonce
        + "ffffffff"  # sequence
        + "02"  # outputs
        + "00f2052a01000000"  # 5,000,000,000
        + "016a"
        + "0000000000000000"
        + "266a24"
        + "66616e73"  # magic
        + bytes(range(0xC0, 0xE0)).hex()
        + "00000000"
    )
    data = build_example()
    assert len(data) == 122
    assert data.hex() == expected


def test_is_a_bitcoin_coinbase() -> None:
    data = build_example()
    reader = bitcoin_format.Reader(data)
    tx = bitcoin_format.read_transaction(reader)
    assert reader.at_end
    assert tx.is_coinbase
    assert (tx.version, tx.lock_time, tx.witnesses) == (1, 0, ())
    assert tx.inputs[0].sequence == 0xFFFFFFFF
    assert tx.inputs[0].script == bytes.fromhex("04040302010 8a0a1a2a3a4a5a6a7".replace(" ", ""))
    assert [output.value for output in tx.outputs] == [5_000_000_000, 0]
    assert tx.outputs[0].script == b"\x6a"
    assert tx.outputs[1].script == b"\x6a\x24" + b"fans" + bytes(range(0xC0, 0xE0))
    assert tx.txid == compute_merkle_root(data) == bitcoin_format.compute_merkle_root([tx.txid])


def test_stratum_parts() -> None:
    data = build_example()
    before, after = split_for_stratum(data)
    assert (len(before), len(after)) == (48, 66)
    assert before + bytes.fromhex("a0a1a2a3a4a5a6a7") + after == data
    other = before + b"12345678" + after
    assert parse(other).extranonce == b"12345678"
    assert (before[41], before[42]) == (14, 4)  # where firmware looks for the script and the height


def test_reward_shown_is_cut() -> None:
    assert parse(build_example(reward=REWARD_SHOWN_MAX)).reward == REWARD_SHOWN_MAX
    assert build_example(reward=REWARD_SHOWN_MAX + 1) == build_example(reward=REWARD_SHOWN_MAX)
    assert build_example(reward=INTEGER_MAX) == build_example(reward=REWARD_SHOWN_MAX)


def test_each_constant_byte_is_refused_when_changed() -> None:
    data = build_example()
    constants = [offset for offset in range(122) if offset not in VARYING]
    assert len(constants) == 122 - 4 - 8 - 8 - 36
    for offset in constants:
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[offset] ^= flip
            with pytest.raises(Malformed) as caught:
                parse(bytes(changed))
            assert caught.value.code.name == "coinbase.grammar"
            assert caught.value.fields == {"offset": offset}


@pytest.mark.parametrize("offset", [offset for offset in VARYING if offset not in (67, 68)])
def test_each_varying_byte_may_change(offset: int) -> None:
    changed = bytearray(build_example())
    changed[offset] ^= 0x01
    assert build_from(parse(bytes(changed))) == changed


@pytest.mark.parametrize("length", [0, 121, 123, 244])
def test_other_lengths_are_malformed(length: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse((build_example() * 2)[:length])
    assert caught.value.code.name == "coinbase.length"
    assert caught.value.fields == {"expected": 122, "length": length}


@pytest.mark.parametrize("reward", [REWARD_SHOWN_MAX + 1, 2**63, 2**64 - 1])
def test_too_large_a_reward_is_malformed(reward: int) -> None:
    data = build_example()
    with pytest.raises(Malformed) as caught:
        parse(data[:61] + reward.to_bytes(8, "little") + data[69:])
    assert caught.value.code.name == "coinbase.reward"


def test_bitcoins_magic_is_refused() -> None:
    with pytest.raises(Malformed) as built:
        build_example(magic="aa21a9ed")
    data = build_example()
    with pytest.raises(Malformed) as parsed:
        parse(data[:82] + bytes.fromhex("aa21a9ed") + data[86:])
    assert built.value.code.name == parsed.value.code.name == "coinbase.magic"


def test_order_of_failures() -> None:
    data = bytearray(build_example())
    data[82:86] = bytes.fromhex("aa21a9ed")
    data[61:69] = b"\xff" * 8
    data[121] = 1
    seen: list[str] = []
    for repair in (slice(121, 122), slice(61, 69), slice(82, 86)):
        with pytest.raises(Malformed) as caught:
            parse(bytes(data))
        seen.append(caught.value.code.name)
        data[repair] = build_example()[repair]
    assert seen == ["coinbase.grammar", "coinbase.reward", "coinbase.magic"]
    assert bytes(data) == build_example()


def test_parts_of_other_lengths_are_a_fault_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="extranonce"):
        build_example(extranonce="00")
    with pytest.raises(AssertionError, match="magic"):
        build_example(magic="00")
    with pytest.raises(AssertionError, match="commitment"):
        build(
            height=Height(0),
            extranonce=Extranonce(bytes(8)),
            reward=Amount(0),
            magic=Magic(bytes(4)),
            commitment=Hash(b""),
        )
    with pytest.raises(AssertionError, match="122"):
        split_for_stratum(b"")


@given(coinbases)
def test_coinbase_round_trip(coinbase: Coinbase) -> None:
    data = build_from(coinbase)
    assert parse(data) == coinbase
    reader = bitcoin_format.Reader(data)
    assert bitcoin_format.read_transaction(reader).is_coinbase
    assert reader.at_end


@given(st.binary(max_size=200))
def test_other_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)
