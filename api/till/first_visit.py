"""The first visit to the node, before a till serves: a wrong program, or a key that may not sign, is said at once.

Without its node a till starts all the same, and so does one that knew its program before: what it has signed is still to be handed
over, also by a key that was revoked.
"""

from api.till.errors import NOT_GRANTED, REVOKED, TillRefused
from api.till.knowledge import SCOPE, Knowledge, visit_node
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from ledger.types import Address, ProgramId

PROGRAM_UNKNOWN = "program.unknown"


def make_first_visit(knowledge: Knowledge, client: Client, program: ProgramId, till: Address) -> list[str]:
    """What a person should know before the till serves, in sentences; empty where all is well.

    Raises ClientProblem program.unknown, TillRefused till.not_granted, till.revoked: of a till that has never known its program.
    Raises TillRefused till.wrong_chain, NodeError store.*.
    """
    knew = knowledge.contact is not None
    try:
        knowledge.learn(*visit_node(client, program, till))
        knowledge.check_granted(knowledge.known(), SCOPE)
    except ClientProblem as problem:
        if problem.code != PROGRAM_UNKNOWN:
            return [f"whether the program lets this till sign could not be checked: {problem.detail}"]
        if not knew:
            raise
        return [f"the node does not know the program: {problem.detail}. Is it the right node, and up to date?"]
    except TillRefused as fault:
        if not knew or fault.code not in (NOT_GRANTED, REVOKED):
            raise
        return [f"{str(fault).removeprefix(f'{fault.code.name}: ')}: it signs nothing. {fault.advice}"]
    except (KeyError, TypeError, ValueError) as fault:
        return [f"the node's answer is not of this version: {type(fault).__name__} {fault}"]
    return []
