"""What partners may read: whom a fan has let in, for which scope, and the line about each read in the fan's log.

A partner is an address; its key signs each request (RFC 9421), so a request that is sent again is refused. It is let in by an
active consent for purpose 1 (share) to that very address: a consent to a program lets nobody in by this door, its owner neither.
Whatever is missing (the program, the member, the consent, the scope, or any of them no longer), the answer is the same, after the
same steps: it does not tell who is a member.

Scopes, and what each one gives:

    standing    since when the fan is a member, its tier, its points
    history     points that came and went, and rewards, of this program
    receipts    purchases with their lines, without those that the fan marked as gifts
    gifts       with receipts: those that are marked, too
    campaigns   pledges of this program's points

A consent with the empty scope gives all of these but gifts, which must be named.
"""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from api.consent.gate import ActiveConsent
from api.http.deps import Services, parse_id, services_of
from api.http.problems import RequestFault
from api.http.signatures import authenticate
from api.receipts.access_log import GIVEN, Read, ReadRefused
from ledger.domains.consent.state import SHARE
from ledger.domains.loyalty.state import member_key
from ledger.errors import Code
from ledger.types import Address, ProgramId

STANDING: Final = "standing"
HISTORY: Final = "history"
RECEIPTS: Final = "receipts"
GIFTS: Final = "gifts"
CAMPAIGNS: Final = "campaigns"
SCOPES: Final = (STANDING, HISTORY, RECEIPTS, GIFTS, CAMPAIGNS)

NOT_GRANTED = Code(
    "partner.not_granted",
    "no member of this program has granted that to you",
    "Ask the fan: `fansumer wallet consent grant PROGRAM --purpose share --to YOUR_ADDRESS --scope SCOPE`.",
)


@dataclass(frozen=True, slots=True)
class PartnerRead:
    """A read that the fan has granted. `with_gifts`: receipts that are marked as gifts, too."""

    services: Services
    reader: Address
    program: ProgramId
    member: Address
    scope: str
    consent: ActiveConsent
    with_gifts: bool

    async def log(self, given: int) -> None:
        """Write the read down where the fan sees it, before it is answered.

        Raises `partner.too_many_reads`, and `partner.not_granted` where the consent was taken back while the answer was made.
        """
        with self.services.reader.snapshot() as view:
            consent = self.services.consents.find_active(view, self.member, self.reader, SHARE, self.scope)
        if consent is None:
            await self._log_refused(NOT_GRANTED)
            raise RequestFault(NOT_GRANTED)
        try:
            await _log(self.services, self.reader, self.program, self.member, self.scope, GIVEN, given)
        except ReadRefused as fault:
            await self._log_refused(fault.code)
            raise

    async def _log_refused(self, code: Code) -> None:
        await _log(self.services, self.reader, self.program, self.member, self.scope, code.name, 0)

    def show_consent(self) -> dict[str, Any]:
        """By what it is allowed."""
        return {
            "scope": self.consent.scope,
            "granted_at": self.consent.granted_at,
            "expires_at": self.consent.expires_at or None,
        }


async def admit(request: Request, program: str, member: str, scope: str) -> PartnerRead:
    """The read that a partner asks for, if it is granted. Raises what `authenticate` raises, and `partner.not_granted`."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    fan = services.renderer.parse_address(member)
    reader = await authenticate(request)
    await services.consents.ready()
    with services.reader.snapshot() as view:
        consent = services.consents.find_active(view, fan, reader, SHARE, scope)
        gifts = services.consents.find_active(view, fan, reader, SHARE, GIFTS, by_name=True)
        is_member = view.stored(member_key(program_id, fan)) is not None
    if consent is None or not is_member:
        await _log(services, reader, program_id, fan, scope, NOT_GRANTED.name, 0)
        raise RequestFault(NOT_GRANTED)
    return PartnerRead(services, reader, program_id, fan, scope, consent, gifts is not None)


async def _log(
    services: Services, reader: Address, program: ProgramId, member: Address, scope: str, code: str, given: int
) -> None:
    now = services.node.clock.now()
    read = Read(
        member=member,
        reader=reader,
        program=program,
        purpose=SHARE,
        scope=scope,
        first_at=now,
        last_at=now,
        code=code,
        given=given,
    )
    await services.receipts.run(lambda store: store.log.add(read))
