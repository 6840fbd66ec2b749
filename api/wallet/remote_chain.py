"""A running node as a source of blocks: what it serves is for others to verify."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from api.wallet.client import BAD_ANSWER, RAW_LIMIT, Client
from api.wallet.errors import Unreachable
from ledger.errors import Code
from ledger.params import Params, params_from_mapping
from ledger.types import BlockHash, Height
from node.errors import NodeError
from node.replay import peek_header

CHANGED_BRANCH = Code(
    "audit.changed_branch",
    "the node went over to another branch while its blocks were read, at block {height}",
    "Run it again: the chain was reorganised meanwhile.",
)

Read = TypeVar("Read")


def _reading(client: Client, read: Callable[[], Read]) -> Read:
    """What `read` takes out of an answer. Raises Unreachable client.bad_answer where it is not there."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Unreachable.of_code(BAD_ANSWER, url=client.url, reason=f"{type(fault).__name__} {fault}") from None


def fetch_params(client: Client) -> Params:
    """The params that the node says its chain has. The chain id that follows from them is what has to be known."""
    return params_from_mapping(client.params())


class RemoteChain:
    """The active chain of a node up to the tip that it named at first: a `BlockSource`.

    Raises Unreachable where the node does not answer as one, NodeError audit.changed_branch where it was reorganised meanwhile.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.height, self.tip = self._read_tip()
        self.genesis = self._hash_at(0)

    def _read_tip(self) -> tuple[Height, BlockHash]:
        answer = self._client.chain()
        return _reading(
            self._client, lambda: (Height(int(answer["height"])), BlockHash(bytes.fromhex(answer["tip"])[::-1]))
        )

    def _hash_at(self, height: int) -> BlockHash | None:
        header = next((peek_header(raw) for raw in self._client.raw_blocks(height, limit=1)), None)
        return None if header is None else header.hash

    def blocks(self) -> Iterator[bytes]:
        """The blocks after genesis, batch by batch."""
        height, last = 1, self.genesis
        while height <= self.height:
            batch = self._client.raw_blocks(height, limit=min(RAW_LIMIT, self.height - height + 1))
            if not batch:
                break
            first = peek_header(batch[0])
            # Where a batch does not follow: either the node went over to another branch, or it does not tell the truth.
            if first is not None and first.previous != last and self._hash_at(height - 1) != last:
                raise NodeError(CHANGED_BRANCH, height=height)
            yield from batch
            height += len(batch)
            header = peek_header(batch[-1])
            last = None if header is None else header.hash
        if last != self.tip and self._read_tip() != (self.height, self.tip):
            raise NodeError(CHANGED_BRANCH, height=self.height)
