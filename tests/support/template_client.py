"""A miner that asks for its blocks, as small as can be: getblocktemplate in, submitblock out, written from what real miners do."""

import hashlib
import struct
from typing import Any

Template = dict[str, Any]


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def call(method: str, *params: Any, asked_id: int = 0) -> dict[str, Any]:
    """The body of a call."""
    return {"method": method, "params": list(params), "id": asked_id}


CAPABILITIES = {"capabilities": ["coinbasetxn", "coinbasevalue", "longpoll", "workid"]}


def check_template(template: Template) -> None:
    """What a real miner refuses to go on without, or because of."""
    assert all(type(template[name]) is int for name in ("height", "version", "curtime", "mintime"))
    assert len(bytes.fromhex(template["previousblockhash"])) == 32 and len(bytes.fromhex(template["bits"])) == 4
    assert len(bytes.fromhex(template["target"])) == 32 and template["transactions"] == []
    coinbase = bytes.fromhex(template["coinbasetxn"]["data"])
    assert len(coinbase) >= 60 and template["coinbasetxn"]["txid"] == sha256d(coinbase)[::-1].hex()
    assert isinstance(template["workid"], str) and isinstance(template["longpollid"], str)
    assert "segwit" not in template.get("rules", []) and "coinbase/append" not in template["mutable"]
    assert template["version"] & 0xFF <= 4
    assert template["mintime"] <= template["curtime"] <= template["maxtime"]


def header_of(template: Template, nonce: int, *, time: int | None = None, version: int | None = None) -> bytes:
    """The 80 bytes."""
    coinbase = bytes.fromhex(template["coinbasetxn"]["data"])
    return (
        struct.pack("<I", template["version"] if version is None else version)
        + bytes.fromhex(template["previousblockhash"])[::-1]
        + sha256d(coinbase)
        + struct.pack("<III", template["curtime"] if time is None else time, int(template["bits"], 16), nonce)
    )


def search(template: Template, *, time: int | None = None, version: int | None = None, good: bool = True) -> bytes:
    """The block: header, count, coinbase. `good` False: its work is too little."""
    target = int(template["target"], 16)
    for nonce in range(2**32):
        header = header_of(template, nonce, time=time, version=version)
        if (int.from_bytes(sha256d(header), "little") <= target) is good:
            return header + b"\x01" + bytes.fromhex(template["coinbasetxn"]["data"])
    raise AssertionError("no nonce is left")
