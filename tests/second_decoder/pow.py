"""Header, coinbase, compact bits and work: POW-1 to POW-5; difficulty: DIF-1 to DIF-4; emission: EMI-1."""

from itertools import pairwise

from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import twice

REWARD_SHOWN_MAX = 21 * 10**14
SEGWIT_MAGIC = bytes.fromhex("aa21a9ed")
HALF_OF_RANGE = (2**63 - 1) // 2

# POW-3 as (offset, fixed bytes).
COINBASE_FIXED = (
    (0, bytes.fromhex("01000000") + b"\x01" + bytes(32) + b"\xff" * 4 + bytes.fromhex("0e04")),
    (47, b"\x08"),
    (56, b"\xff" * 4 + b"\x02"),
    (69, bytes.fromhex("016a") + bytes(8) + bytes.fromhex("266a24")),
    (118, bytes(4)),
)


def read_header(data: bytes) -> dict:
    """POW-1."""
    if len(data) != 80:
        raise Fault("header.length", str(len(data)))
    number = {
        name: int.from_bytes(data[at : at + 4], "little") for name, at in (("time", 68), ("bits", 72), ("nonce", 76))
    }
    version = int.from_bytes(data[:4], "little")
    return {"version": version, "previous": data[4:36], "merkle_root": data[36:68], **number}


def write_header(header: dict) -> bytes:
    """POW-1."""
    numbers = b"".join(header[name].to_bytes(4, "little") for name in ("time", "bits", "nonce"))
    return header["version"].to_bytes(4, "little") + header["previous"] + header["merkle_root"] + numbers


def block_hash(header: bytes) -> bytes:
    """POW-1, in header byte order."""
    return twice(header)


def is_version_good(version: int) -> bool:
    """POW-2."""
    return version & 0xE0001FFF == 0x20000000


def read_coinbase(data: bytes) -> dict:
    """POW-3, with its faults in order."""
    if len(data) != 122:
        raise Fault("coinbase.length", str(len(data)))
    for at, fixed in COINBASE_FIXED:
        if data[at : at + len(fixed)] != fixed:
            raise Fault("coinbase.grammar", f"at {at}")
    reward = int.from_bytes(data[61:69], "little")
    if reward > REWARD_SHOWN_MAX:
        raise Fault("coinbase.reward", str(reward))
    if data[82:86] == SEGWIT_MAGIC:
        raise Fault("coinbase.magic")
    height = int.from_bytes(data[43:47], "little")
    return {
        "height": height,
        "extranonce": data[48:56],
        "reward": reward,
        "magic": data[82:86],
        "commitment": data[86:118],
    }


def write_coinbase(coinbase: dict) -> bytes:
    """POW-3."""
    data = bytearray(122)
    for at, fixed in COINBASE_FIXED:
        data[at : at + len(fixed)] = fixed
    data[43:47] = coinbase["height"].to_bytes(4, "little")
    data[48:56] = coinbase["extranonce"]
    data[61:69] = coinbase["reward"].to_bytes(8, "little")
    data[82:86] = coinbase["magic"]
    data[86:118] = coinbase["commitment"]
    return bytes(data)


def target_of(bits: int) -> int:
    """The target of compact bits (POW-4), with its faults in order."""
    size, mantissa = bits >> 24, bits & 0x007FFFFF
    if size <= 3:
        mantissa >>= 8 * (3 - size)
    target = mantissa if size <= 3 else mantissa << (8 * (size - 3))
    if mantissa and bits & 0x00800000:
        raise Fault("bits.negative", f"{bits:08x}")
    if target >= 2**256:
        raise Fault("bits.overflow", f"{bits:08x}")
    if target == 0:
        raise Fault("bits.zero", f"{bits:08x}")
    return target


def bits_of(target: int) -> int:
    """The canonical bits of a target (POW-4)."""
    size = (target.bit_length() + 7) // 8
    mantissa = target << (8 * (3 - size)) if size <= 3 else target >> (8 * (size - 3))
    if mantissa & 0x00800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def work_of(bits: int) -> int:
    """The work of the target of bits (POW-4)."""
    return 2**256 // (target_of(bits) + 1)


def is_proved(header: bytes) -> bool:
    """POW-4: whether the block hash meets the header's own target."""
    return int.from_bytes(block_hash(header), "little") <= target_of(read_header(header)["bits"])


def uncapped_target(anchor: int, exponent: int) -> int:
    """floor(anchor * factor * 2^shift) of DIF-1."""
    shift, part = exponent // 65_536 - 16, exponent % 65_536
    cubic = 195_766_423_245_049 * part + 971_821_376 * part**2 + 5_127 * part**3 + 2**47
    product = anchor * (65_536 + cubic // 2**48)
    return product << shift if shift >= 0 else product >> -shift


def expected_bits(era: dict, height: int, effective: int, parent_time: int) -> int:
    """The bits of the block at `height` (DIF-1); `effective` after the block before it, parent_time of the era (DIF-4)."""
    if height == era["start_height"] or not era["retarget"]:
        return era["anchor_bits"]
    drift = effective - parent_time - era["block_time_s"] * (height - era["start_height"])
    scaled = abs(drift) * 65_536 // era["half_life_s"]
    exponent = scaled if drift >= 0 else -scaled
    target = max(uncapped_target(target_of(era["anchor_bits"]), exponent), 1)
    return bits_of(min(target, target_of(era["limit_bits"])))


def steps_to_limit(era: dict) -> int:
    """E of DIF-3: the least exponent that reaches the limit, by halving the range (the target grows with the exponent)."""
    anchor, limit = target_of(era["anchor_bits"]), target_of(era["limit_bits"])
    low, high = 0, 257 * 65_536
    while low < high:
        middle = (low + high) // 2
        if uncapped_target(anchor, middle) >= limit:
            high = middle
        else:
            low = middle + 1
    return low


def effective_time(era: dict, height: int, time: int, before: dict, parent_time: int) -> int:
    """The effective time after the block at `height` (DIF-2, DIF-3); `before` has time and effective of the parent."""
    half_life = era["half_life_s"]
    effective = before["effective"] + min(max(time - before["time"], 1), half_life)
    if era["retarget"]:
        allowed = -(-steps_to_limit(era) * half_life // 65_536)
        ahead = era["block_time_s"] * (height - era["start_height"] + 1)
        effective = min(effective, parent_time + ahead + allowed)
    return effective


class Clockwork:
    """Follows times from genesis on: expected bits, effective time and cumulative work of each block (DIF-4, POW-4)."""

    def __init__(self, eras: list[dict], genesis_time: int) -> None:
        self.eras = eras
        self.height, self.time, self.effective = 0, genesis_time, genesis_time
        self.parent_time = genesis_time - eras[0]["block_time_s"]
        self.work = work_of(eras[0]["anchor_bits"])

    def era_at(self, height: int) -> dict:
        """The era that holds at a height."""
        return [era for era in self.eras if era["start_height"] <= height][-1]

    def next_bits(self) -> int:
        """The bits of the next block."""
        era = self.era_at(self.height + 1)
        return expected_bits(era, self.height + 1, self.effective, self.parent_time)

    def add(self, time: int) -> None:
        """Takes the next block."""
        self.work += work_of(self.next_bits())
        self.height += 1
        era = self.era_at(self.height)
        if era["start_height"] == self.height:
            self.parent_time = self.effective
        before = {"time": self.time, "effective": self.effective}
        self.effective = effective_time(era, self.height, time, before, self.parent_time)
        self.time = time


def subsidy(params: dict, height: int) -> int:
    """EMI-1."""
    if height == 0:
        return 0
    halvings = (height - 1) // params["halving_interval_blocks"]
    return 0 if halvings >= 63 else params["subsidy_initial"] >> halvings


def emission_to_date(params: dict, height: int) -> int:
    """Allocations and all subsidies up to and with a height (EMI-1)."""
    total = sum(item["amount"] for item in params["allocations"])
    interval = params["halving_interval_blocks"]
    for halvings in range(63):
        blocks = min(max(height - halvings * interval, 0), interval)
        total += blocks * (params["subsidy_initial"] >> halvings)
    return total


def subsidies_in_all(params: dict) -> int:
    """The sum of all subsidies (EMI-1)."""
    return sum(params["halving_interval_blocks"] * (params["subsidy_initial"] >> halvings) for halvings in range(63))


def check_eras(eras: list[dict]) -> None:
    """DIF-4: what eras must satisfy."""
    starts = [era["start_height"] for era in eras]
    if starts[0] != 0 or any(left >= right for left, right in pairwise(starts)):
        raise Fault("params.eras")
    for era in eras:
        if not 1 <= era["block_time_s"] <= 65_536 or not era["block_time_s"] <= era["half_life_s"] <= 65_536:
            raise Fault("params.era")
        for name in ("limit_bits", "anchor_bits"):
            if bits_of(target_of(era[name])) != era[name]:
                raise Fault("params.era_bits")
        if target_of(era["anchor_bits"]) > target_of(era["limit_bits"]):
            raise Fault("params.era_anchor")
