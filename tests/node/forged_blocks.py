"""Blocks in which one thing is wrong and all that follows from it is made to fit again: roots, coinbase, work."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ledger import coinbase as coinbase_format
from ledger.block import Block, Commitment, transaction_leaf, transaction_root
from ledger.hashing import COMMITMENT, WTX, sha256d
from ledger.header import Header
from ledger.pow import meets_target, target_from_compact
from ledger.types import Hash, WtxId

NOTHING: Mapping[str, Any] = {}


def work_on(header: Header, *, fail: bool = False) -> Header:
    """The header with the first nonce that meets its target, or (to order) that does not."""
    target = target_from_compact(header.bits)
    nonce = 0
    while meets_target(replace(header, nonce=nonce).hash, target) is fail:
        nonce += 1
    return replace(header, nonce=nonce)


def forge(
    block: Block,
    *,
    header: Mapping[str, Any] = NOTHING,
    coinbase: Mapping[str, Any] = NOTHING,
    commitment: Mapping[str, Any] = NOTHING,
    transactions: Sequence[bytes] | None = None,
    results: Sequence[tuple[str, ...]] | None = None,
) -> Block:
    """`block` with fields of its parts replaced; a changed body changes transaction root and count, unless these are given."""
    raws = block.transactions if transactions is None else tuple(transactions)
    codes = block.results if results is None else tuple(results)
    if results is None and transactions is not None:
        codes = tuple(("",) for _ in raws)
    leaves = [transaction_leaf(WtxId(WTX(raw)), code) for raw, code in zip(raws, codes, strict=True)]
    implied = {"transaction_root": transaction_root(leaves), "transaction_count": len(raws)}
    committed = replace(Commitment.decode(block.commitment_bytes), **{**implied, **commitment})
    return seal(block, committed.encode(), header=header, coinbase=coinbase, transactions=raws, results=codes)


def seal(
    block: Block,
    commitment_bytes: bytes,
    *,
    header: Mapping[str, Any] = NOTHING,
    coinbase: Mapping[str, Any] = NOTHING,
    transactions: tuple[bytes, ...] | None = None,
    results: tuple[tuple[str, ...], ...] | None = None,
) -> Block:
    """Coinbase, merkle root and work for these commitment bytes, whatever they are."""
    fields = coinbase_format.parse(block.coinbase)
    fields = replace(fields, **{"commitment": COMMITMENT(commitment_bytes), **coinbase})
    built = coinbase_format.build(
        height=fields.height,
        extranonce=fields.extranonce,
        reward=fields.reward,
        magic=fields.magic,
        commitment=fields.commitment,
    )
    return with_coinbase(
        replace(
            block,
            commitment_bytes=commitment_bytes,
            transactions=block.transactions if transactions is None else transactions,
            results=block.results if results is None else results,
        ),
        built,
        header=header,
    )


def with_coinbase(block: Block, coinbase: bytes, *, header: Mapping[str, Any] = NOTHING) -> Block:
    """The block with other coinbase bytes, and work for them."""
    changed = replace(block.header, merkle_root=Hash(sha256d(coinbase)))
    return replace(block, coinbase=coinbase, header=work_on(replace(changed, **header)))


def child_of(parent: Block, like: Block) -> Block:
    """An empty block on `parent` whose header and commitment are well-formed; what it says of the state is made up."""
    height = Commitment.decode(parent.commitment_bytes).height + 1
    header = {"previous": parent.hash, "time": parent.header.time + 60}
    return forge(
        like, header=header, coinbase={"height": height}, commitment={"height": height}, transactions=(), results=()
    )
