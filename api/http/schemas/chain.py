"""Answers about the chain and its blocks."""

from typing import ClassVar

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_HASH,
    EXAMPLE_TIME,
    EXAMPLE_TXID,
    Answer,
    Example,
    PageAnswer,
)
from ledger.networks import NETWORKS
from ledger.params import params_to_mapping


class ChainAnswer(Answer):
    """The chain that this node follows, and what a wallet must know to build for it.

    `chain_id` is in the order in which it is signed; `tip` and all hashes of blocks are shown reversed, as is usual. `time` is the
    chain's clock: the tip's; `clock` is the node's own, with which a till compares its. Amounts are in coin's smallest unit,
    `fee_rate_min` for each unit of weight.
    """

    name: str
    chain_id: str
    address_prefix: str
    height: int
    tip: str
    time: int
    clock: int
    next_height: int
    fee_rate_min: int
    record_deposit: int
    account_minimum: int
    validity_blocks_max: int
    block_time_s: int
    kinds: list[str] = Field(description="The kinds of transactions that are valid in the next block.")

    EXAMPLE: ClassVar[Example] = {
        "name": "dev",
        "chain_id": "3c" * 32,
        "address_prefix": "dfan",
        "height": 1_440,
        "tip": EXAMPLE_HASH,
        "time": EXAMPLE_TIME,
        "clock": EXAMPLE_TIME + 3,
        "next_height": 1_441,
        "fee_rate_min": 1,
        "record_deposit": 1_000,
        "account_minimum": 1_000,
        "validity_blocks_max": 1_440,
        "block_time_s": 5,
        "kinds": ["earn", "member.join", "transfer"],
    }


class ParamsAnswer(Answer):
    """The params file of the chain: `fansumer audit verify` needs nothing else to compute the first block.

    `eras` are [start height, block time s, half-life s, limit bits, anchor bits, retargets], `upgrades` [kind, height].
    """

    name: str
    address_prefix: str
    magic: str
    genesis_time: int
    eras: list[list[int]]
    subsidy_initial: int
    halving_interval_blocks: int
    maturity_blocks: int
    block_weight_max: int
    due_weight_max: int
    fee_rate_min: int
    record_deposit: int
    account_minimum: int
    validity_blocks_max: int
    allocations: list[list[str | int]]
    kinds: list[str]
    upgrades: list[list[str | int]]

    EXAMPLE: ClassVar[Example] = params_to_mapping(NETWORKS["dev"])


class BlockItem(Answer):
    """A block in short."""

    height: int
    hash: str
    version: int
    previous: str
    merkle_root: str
    time: int
    bits: str
    nonce: int
    transactions: int | None = Field(
        description="Null where this node began with a snapshot of a later block and does not have its older events yet."
    )

    EXAMPLE: ClassVar[Example] = {
        "height": 1_440,
        "hash": EXAMPLE_HASH,
        "version": 0x20000000,
        "previous": "00" * 3 + "d5" * 29,
        "merkle_root": "6b" * 32,
        "time": EXAMPLE_TIME,
        "bits": "1f7fffff",
        "nonce": 2_083,
        "transactions": 1,
    }


class BlocksAnswer(PageAnswer):
    """Blocks of the active chain, the newest first."""

    items: list[BlockItem]

    EXAMPLE: ClassVar[Example] = {"items": [BlockItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class PayeeItem(Answer):
    """Whom the block pays, and how much."""

    address: str
    amount: int

    EXAMPLE: ClassVar[Example] = {"address": EXAMPLE_ADDRESS, "amount": 5_000_000_887}


class BlockAnswer(BlockItem):
    """A block and what its work stands for. `confirmations` 0: it is on no active chain; `invalid_code` may say why."""

    confirmations: int
    invalid_code: str | None
    bytes: int
    transaction_root: str
    state_root: str
    history_root: str
    payees: list[PayeeItem]
    txids: list[str]

    EXAMPLE: ClassVar[Example] = {
        **BlockItem.EXAMPLE,
        "confirmations": 1,
        "invalid_code": None,
        "bytes": 1_204,
        "transaction_root": "1d" * 32,
        "state_root": "2e" * 32,
        "history_root": "4f" * 32,
        "payees": [PayeeItem.EXAMPLE],
        "txids": [EXAMPLE_TXID],
    }
