"""What must stand behind a program's points, counted from every record that holds some (spec COL-4, INV-13)."""

from ledger.domains.crowdfunding.state import pledge_key
from ledger.domains.crowdfunding.terms import PointsUnit
from ledger.domains.loyalty.state import NEVER, Books, Lot, days_key, terms_key
from ledger.types import CampaignId, Day, ProgramId
from tests.support.memory_chain import MemoryState


def standing_lots(state: MemoryState, program: ProgramId) -> list[Lot]:
    """The lots of members that have not expired in the totals, and those in holds, fulfilments and open or failed pledges."""
    found: list[Lot] = []
    for key, member in state.table(b"M").items():
        if key[1:33] == program:
            alive = (lot for lot in member.lots if lot[2] == NEVER or state.record(days_key(program, Day(lot[2]))))
            found.extend(alive)
    for prefix in (b"H", b"h"):
        for record in state.table(prefix).values():
            if record.program == program:
                found.extend(record.lots)
    for key, campaign in state.table(b"F").items():
        if isinstance(campaign.unit, PointsUnit) and campaign.unit.program == program and campaign.escrowed:
            pledges = (state.record(pledge_key(CampaignId(key[1:]), number)) for number in range(campaign.pledges))
            found.extend(lot for pledge in pledges if pledge is not None for lot in pledge.lots)
    return found


def check_backing(state: MemoryState) -> None:
    """Every program's books hold what stands behind its points, and no more."""
    for key, books in state.table(b"K").items():
        program = ProgramId(key[1:])
        assert isinstance(books, Books)
        lots = standing_lots(state, program)
        behind = sum(lot[3] * state.record(terms_key(program, lot[0])).collateral for lot in lots)
        assert books.backing == behind, f"{books.backing} thousandths are held, {behind} stand behind {lots}"
