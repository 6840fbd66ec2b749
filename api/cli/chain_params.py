"""Which chain a command is about: a network of the table, or a params file."""

import json
from pathlib import Path
from typing import Final

import typer

from api.cli.session import read_text
from ledger.errors import Malformed
from ledger.networks import NETWORKS
from ledger.params import BAD_FILE, Params, params_from_mapping

PARAMS_FILE: Final = "params.json"
"""The params of a private chain lie beside its store."""


def load_params(network: str, file: Path | None = None, folder: Path | None = None) -> Params:
    """The params in a file that was named, else in the chain's folder, else of a network.

    Raises Malformed params.file, UsageFault cli.file_failed.
    """
    beside = None if folder is None else folder / PARAMS_FILE
    if file is None and beside is not None and beside.exists():
        file = beside
    if file is None:
        if network not in NETWORKS:
            raise typer.BadParameter(f"{network[:40]} is no network; there are {', '.join(NETWORKS)}")
        return NETWORKS[network]
    return parse_params(read_text(file))


def parse_params(text: str) -> Params:
    """The params that a file's text holds. Raises Malformed params.file."""
    try:
        mapping = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed(BAD_FILE, reason="it is not JSON") from None
    if not isinstance(mapping, dict):
        raise Malformed(BAD_FILE, reason="it is no JSON object")
    return params_from_mapping(mapping)
