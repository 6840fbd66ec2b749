"""The first visit to the node, before a till serves: a wrong program, or a key that may not sign, is said at once.

It comes before anything is made: a till that does not start must not have taken over the numbers of its key. Without its node a
till starts all the same, and so does one that was at work before: what it has signed is still to be handed over, also by a key
that was revoked.
"""

from api.till.errors import TillRefused
from api.till.knowledge import SCOPE, refuse_ungranted, visit_node
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from ledger.types import Address, ProgramId

PROGRAM_UNKNOWN = "program.unknown"


def make_first_visit(client: Client, program: ProgramId, till: Address, *, is_new: bool) -> list[str]:
    """What a person should know before the till serves, in sentences; empty where all is well.

    Raises, of a till that `is_new`, ClientProblem program.unknown, TillRefused till.not_granted, till.revoked.
    """
    try:
        _, _, grant = visit_node(client, program, till)
        refuse_ungranted(grant, SCOPE)
    except ClientProblem as problem:
        if problem.code != PROGRAM_UNKNOWN:
            return [f"whether the program lets this till sign could not be checked: {problem.detail}"]
        if is_new:
            raise
        return [f"the node does not know the program: {problem.detail}. Is it the right node, and up to date?"]
    except TillRefused as fault:
        if is_new:
            raise
        return [f"{str(fault).removeprefix(f'{fault.code.name}: ')}: it signs nothing. {fault.advice}"]
    except (KeyError, TypeError, ValueError) as fault:
        return [f"the node's answer is not of this version: {type(fault).__name__} {fault}"]
    return []
