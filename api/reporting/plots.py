"""The plots of the report as SVG: matplotlib without a screen, a window or global state."""

import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import Code, LedgerError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_MATPLOTLIB = Code(
    "report.no_plots",
    "plots need matplotlib, which is not installed",
    "Install the extra `report` (pip install 'fansumer[report]'), or leave --html out.",
)

WIDTH_INCHES: Final = 8.0
HEIGHT_INCHES: Final = 3.2
# Okabe and Ito's palette: told apart by people who see colours differently, and on paper by lightness.
COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
GREY: Final = "#555555"
LABEL_LENGTH_MAX: Final = 24
BARS_MIN: Final = 4
"""Room is left for so many bars, so that a lone one is no wall."""


class ReportFault(LedgerError):
    """A report that can't be made here."""


def check_plots() -> None:
    """Raise `report.no_plots` where matplotlib is missing: before an hour of replaying, not after."""
    if find_spec("matplotlib") is None:
        raise ReportFault(NO_MATPLOTLIB)


def draw(title: str, paint: Callable[["Axes"], None]) -> bytes:
    """An SVG with `title`, painted by `paint`; the same figures give the same bytes."""
    check_plots()
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "svg.hashsalt": title,
        "svg.fonttype": "none",
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
    }
    # The reader's own fonts draw the text: that the font here lacks a letter of somebody's name does not matter.
    with warnings.catch_warnings(), rc_context(settings):  # pyright: ignore[reportArgumentType] - its stub lists the keys
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        paint(axes)
        file = BytesIO()
        nobody = {"Date": None, "Creator": None, "Format": None, "Type": None, "Title": title}
        figure.savefig(file, format="svg", metadata=nobody)
    return file.getvalue()


def draw_bars(title: str, labels: Sequence[str], values: Sequence[int], axis: str) -> bytes:
    """Horizontal bars, the first on top, each with its value."""

    def paint(axes: "Axes") -> None:
        places = range(len(labels))
        bars = axes.barh(places, [float(value) for value in values], color=COLOURS[0])
        axes.set_yticks(places, [_shorten(label) for label in labels])
        axes.set_ylim(max(len(labels), BARS_MIN) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(_make_formatter())
        axes.bar_label(bars, [f" {value:,}" for value in values], fontsize=8)
        axes.margins(x=0.25)
        axes.set_xlabel(axis)

    return draw(title, paint)


def draw_stack(
    title: str, labels: Sequence[str], layers: Sequence[tuple[str, Sequence[int]]], axis: str, places: str
) -> bytes:
    """Vertical bars made of layers that are named in a legend."""

    def paint(axes: "Axes") -> None:
        bottom = [0.0] * len(labels)
        for colour, (name, values) in zip(COLOURS, layers, strict=False):
            heights = [float(value) for value in values]
            axes.bar(range(len(labels)), heights, bottom=bottom, label=name, color=colour)
            bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
        step = max(len(labels) // 12, 1)
        shown = range(0, len(labels), step)
        axes.set_xticks(shown, [labels[place] for place in shown], rotation=30, ha="right")
        axes.yaxis.set_major_formatter(_make_formatter())
        axes.set_ylabel(axis)
        axes.set_xlabel(places)
        axes.legend(frameon=False, ncols=len(layers))

    return draw(title, paint)


def draw_series(title: str, times: Sequence[int], values: Sequence[int], axis: str) -> bytes:
    """A line over time (seconds since 1970, shown as UTC), logarithmic where values span more than two tens."""

    def paint(axes: "Axes") -> None:
        moments: list[Any] = [datetime.fromtimestamp(time, UTC) for time in times]
        heights = [float(value) for value in values]
        axes.plot(moments, heights, color=COLOURS[0], linewidth=1.2, marker="." if len(heights) < 40 else "")
        if min(heights) > 0 and max(heights) > 100 * min(heights):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(_make_formatter())
        axes.set_ylabel(axis)
        axes.set_xlabel("time of the block (UTC)")
        axes.tick_params("x", rotation=20)

    return draw(title, paint)


def _make_formatter() -> Any:
    """Numbers as 20k, 1.5M, 900T."""
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep="")


def _shorten(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH_MAX else f"{label[:14]}…{label[-8:]}"
