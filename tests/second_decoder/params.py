"""Params of a chain: PAR-1; what they must satisfy by DIF-4 and EMI-1."""

from itertools import pairwise

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import tagged
from tests.second_decoder.keys import is_usable
from tests.second_decoder.layouts import KNOWN
from tests.second_decoder.pow import HALF_OF_RANGE, SEGWIT_MAGIC, check_eras, subsidies_in_all
from tests.second_decoder.shapes import Boolean, Integer, Listing, String, Structure

PARAMS = KNOWN["params"]
LEFT_OUT = {
    "upgrades": [],
    "attestors": [],
    "recovery_keys": [],
    "recovery_threshold": 0,
    "silence_days": 14,
    "silence_blocks": 1_440,
    "checkpoint_interval_blocks": 20,
    "trusted": [],
}


def from_json(shape, item):
    """A canonical value from a params file: byte strings are lower-case hex there, arrays are arrays (PAR-1)."""
    if isinstance(shape, Structure) and isinstance(item, list) and len(item) == len(shape.fields):
        return [from_json(part, value) for (_, part), value in zip(shape.fields, item, strict=True)]
    if isinstance(shape, Listing) and isinstance(item, list):
        return [from_json(shape.item, value) for value in item]
    if isinstance(shape, String) and shape.kind is bytes and isinstance(item, str) and item == item.lower():
        try:
            return bytes.fromhex(item)
        except ValueError:
            raise Fault("params.file", "hex") from None
    if isinstance(shape, String | Integer | Boolean):
        return item
    raise Fault("params.file", shape.describe())


def check_params(params: dict) -> None:
    """What PAR-1 asks for besides the shapes. The text gives no order for these."""
    if params["magic"] == SEGWIT_MAGIC:
        raise Fault("params.file", "magic")
    if params["address_prefix"] != params["address_prefix"].lower():
        raise Fault("params.file", "address_prefix")
    addresses = [item["address"] for item in params["allocations"]]
    keys = [item["key"] for item in params["attestors"]]
    for names in (params["kinds"], addresses, keys, params["recovery_keys"]):
        if any(left >= right for left, right in pairwise(names)):
            raise Fault("params.file", "order")
    if not all(is_usable(key) for key in (*keys, *params["recovery_keys"])):
        raise Fault("params.file", "keys")
    threshold, recovery = params["recovery_threshold"], len(params["recovery_keys"])
    if bool(threshold) != bool(recovery) or threshold > recovery or (not keys and (recovery or params["trusted"])):
        raise Fault("params.file", "recovery")
    if sum(item["amount"] for item in params["allocations"]) > HALF_OF_RANGE:
        raise Fault("params.file", "allocations")
    if subsidies_in_all(params) > HALF_OF_RANGE:
        raise Fault("params.emission")
    check_eras(params["eras"])


def read_file(fields: dict) -> dict:
    """Params from the object of a params file (PAR-1)."""
    fields = {**LEFT_OUT, **fields}
    names = [name for name, _ in PARAMS.fields]
    if set(fields) != set(names):
        raise Fault("params.file", "fields")
    values = [from_json(shape, fields[name]) for name, shape in PARAMS.fields]
    params = PARAMS.read(values, "params")
    for item in params["trusted"]:  # a block hash is shown reversed
        item["hash"] = item["hash"][::-1]
    check_params(params)
    return params


def hashed_bytes(params: dict) -> bytes:
    """What the params hash is taken of: the 24 fields, with no upgrades and nothing trusted (PAR-1)."""
    return encode(PARAMS.write({**params, "upgrades": [], "trusted": []}))


def params_hash(params: dict) -> bytes:
    """PAR-1."""
    return tagged("PARAMS", hashed_bytes(params))


def read_hashed(data: bytes) -> dict:
    """Params from the bytes that are hashed."""
    params = PARAMS.read(decode(data), "params")
    check_params(params)
    return params
