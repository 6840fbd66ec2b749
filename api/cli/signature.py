"""Commands whose options are made of a table: what typer reads of a function, said anew."""

import inspect
from collections.abc import Callable, Sequence


def with_parameters(call: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """Let typer see these parameters of `call`, which `functools.wraps` made look like another function."""
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] - typer reads it
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del call.__wrapped__  # type: ignore[attr-defined] - else typer reads the signature of what is wrapped
    return call
