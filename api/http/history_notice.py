"""What a node that began with a snapshot does not have yet is said with every answer. Pure ASGI."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.errors import Code, LedgerError
from node.errors import NodeError
from node.node import Node
from node.proofs import NO_TRANSACTION

HISTORY_FROM: Final = "Fansumer-History-From"
"""Events, lists and transactions of blocks below this height are not here yet. The header is there only as long as that is so."""

NOT_HERE_YET: Final = Code(
    "history.not_here",
    "the transaction {txid} is in no block from {history_from} on; older ones are not here yet",
    "This node began with a snapshot and is verifying what came before: ask again later, or ask another node.",
)


class HistoryNotice:
    """Adds the header to every answer."""

    def __init__(self, app: ASGIApp, node: Node) -> None:
        self._app, self._node = app, node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        history_from = self._node.chain.extent.history_from
        if scope["type"] != "http" or not history_from:
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HISTORY_FROM] = str(history_from)
            await send(message)

        await self._app(scope, receive, send_marked)


def without_guessing(fault: LedgerError, node: Node) -> LedgerError:
    """`transaction.unknown` is more than a node can say that does not have the older blocks' transactions."""
    history_from = node.chain.extent.history_from
    if fault.code is not NO_TRANSACTION or not history_from:
        return fault
    return NodeError(NOT_HERE_YET, txid=fault.fields["txid"], history_from=history_from)
