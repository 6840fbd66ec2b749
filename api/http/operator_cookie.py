"""Who the operator is: whoever shows the cookie of the data folder."""

from starlette.requests import Request

from api.http.deps import services_of
from api.http.problems import RequestFault
from ledger.errors import Code

NO_COOKIE = Code(
    "operator.cookie",
    "this is for the operator, who shows the cookie of the data folder",
    "Use `fansumer node`, as the user whose node it is.",
)


def check_operator(request: Request) -> None:
    """Raise `operator.cookie` for anybody else."""
    if not services_of(request).cookie.admits(request.headers.get("authorization")):
        raise RequestFault(NO_COOKIE)
