"""The look that all pictures share, and how a picture becomes part of a page."""

import base64
import functools
import html
import io
from collections.abc import Callable
from typing import Any, TypeVar, cast

INK, FAINT, GRID = "#1f2933", "#7b8794", "#e4e7eb"
TRAIN, HELD_OUT, VALIDATION = "#2f6fde", "#e8833a", "#1e9e6a"
SEARCH_SHADE, SETTLE_SHADE = "#f3f6fb", "#f1f8f4"

_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "text.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "keras_dha",
}

Draw = TypeVar("Draw", bound=Callable[..., Any])


class ReportUnavailableError(RuntimeError):
    """Raised when the pictures' library is not installed."""


def in_report_style(draw: Draw) -> Draw:
    """Decorates a function that draws: matplotlib reads its style while drawing, and the caller's own stays as it is.

    Raises:
        ReportUnavailableError: When the function is called, if matplotlib is not installed.
    """

    @functools.wraps(draw)
    def styled(*args: Any, **kwargs: Any) -> Any:
        with import_matplotlib().rc_context(_STYLE):
            return draw(*args, **kwargs)

    return cast(Draw, styled)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure and its axes, drawn by the Agg canvas without `pyplot`: no window, no global state.

    Args:
        width: In inches.
        height: In inches.
        rows: Rows of axes.
        columns: Columns of axes.
        **options: For `Figure.subplots`.

    Returns:
        The figure, and what `Figure.subplots` returns.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def import_matplotlib() -> Any:
    """The matplotlib module.

    Raises:
        ReportUnavailableError: If it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ReportUnavailableError(
            "A report needs matplotlib. Received: no module of that name. "
            'Install it with: pip install "keras-dha[report]", then: keras-dha report RUN.'
        ) from error
    return matplotlib


@in_report_style
def image_tag(figure: Any, alt: str) -> str:
    """The figure as an HTML `<img>` with the picture inside (SVG in base64).

    Args:
        figure: A matplotlib figure.
        alt: What the picture shows, for those who cannot see it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = int(figure.get_size_inches()[0] * 96)
    return f'<img style="width:{width}px" alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'
