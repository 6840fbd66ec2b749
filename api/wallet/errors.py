"""The kinds of fault that a wallet can meet.

LedgerError
└── WalletError        a phrase, a path, a keystore or another file that cannot be used; what the builder refuses
ClientProblem          the node refused: `code`, `detail`, `advice` and `fields` are the ledger's own
└── Unreachable        no answer at all, or none that makes sense: `code` is client.*
"""

from collections.abc import Mapping
from typing import Any, Self

from ledger.errors import Code, LedgerError


class WalletError(LedgerError):
    """What cannot be used or built on the client's side. `code.name` is stable; no field ever holds a secret."""


class ClientProblem(Exception):
    """The node's refusal (RFC 9457) as an exception; `status` is HTTP's, 0 where there was no answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        advice: str = "",
        *,
        status: int = 0,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.detail = detail
        self.advice = advice
        self.status = status
        self.fields = dict(fields or {})
        super().__init__(f"{code}: {detail}")

    @classmethod
    def of_code(cls, code: Code, **fields: Any) -> Self:
        """A problem that the client itself found."""
        return cls(code.name, code.text.format_map(fields), code.advice, fields=fields)


class Unreachable(ClientProblem):
    """No node answers there."""
