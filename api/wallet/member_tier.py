"""A member's tier as a node shows it: what a till applies where nobody names another."""

from dataclasses import dataclass

from api.wallet.client import Client
from ledger.domains.loyalty.state import Terms
from ledger.types import ProgramId


@dataclass(frozen=True, slots=True)
class MemberTier:
    """A tier's number in the terms in force, 0 for none, and the program's day before which the member has it; None for ever."""

    number: int
    until_day: int | None


NO_TIER = MemberTier(0, None)


def find_member_tier(client: Client, program: ProgramId, terms: Terms, member: str) -> MemberTier:
    """The tier that the node shows of a member, by its address; none where the program has no tiers. Raises ClientProblem."""
    if not terms.tiers:
        return NO_TIER
    programs = client.account(member)["programs"]
    standing = next((found for found in programs if found["program"] == program.hex()), None)
    shown = None if standing is None else standing["tier"]
    if shown is None:
        return NO_TIER
    until = shown["until"]
    return MemberTier(min(int(shown["number"]), len(terms.tiers)), None if until is None else int(until["day"]))
