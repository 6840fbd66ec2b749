"""Who may act for a program over HTTP: its owner, or a key with a live grant of the scope `offer`; for service, `adjust`."""

from typing import Final

from api.http.deps import Services
from api.http.problems import RequestFault
from ledger.domains.loyalty.state import SCOPE_ADJUST, SCOPE_OFFER, grant_allows, load_program
from ledger.errors import Code
from ledger.state import Overlay
from ledger.types import Address, ProgramId

NOT_YOURS: Final = Code(
    "program.not_yours",
    "only the program's owner, or a key that it granted the scope offer, may do this",
    "Sign with the owner's account, or ask it for a grant: `fansumer brand grant-issuer PROGRAM ADDRESS --scopes offer`.",
)


NOT_SERVICE: Final = Code(
    "service.not_yours",
    "only the program's owner, or a key that it granted the scope adjust, serves its fans",
    "Sign with the owner's account, or ask it for a grant: `fansumer brand grant-issuer PROGRAM ADDRESS --scopes adjust`.",
)


def require_service(services: Services, program: ProgramId, account: Address) -> None:
    """Raise `program.unknown`, `service.not_yours`: who may make good in points is who serves."""
    with services.reader.snapshot() as view:
        overlay = Overlay(view)
        owner = load_program(overlay, program).owner
        if account != owner and not grant_allows(overlay, program, account, SCOPE_ADJUST):
            raise RequestFault(NOT_SERVICE)


def require_brand(services: Services, program: ProgramId, account: Address) -> None:
    """Raise `program.unknown`, `program.not_yours`."""
    with services.reader.snapshot() as view:
        overlay = Overlay(view)
        owner = load_program(overlay, program).owner
        if account != owner and not grant_allows(overlay, program, account, SCOPE_OFFER):
            raise RequestFault(NOT_YOURS)
