"""The kept architecture as a picture: each cell a line of nodes, each operation an arc."""

from collections.abc import Iterable, Mapping
from typing import Any

from keras_dha.diagnostics import NONE_WORDS, SKIP_WORDS
from keras_dha.reports import figure as figures
from keras_dha.reports.cell_graph import CellGraph, cell_graphs

_COLOURS = {"convolution": "#2f6fde", "pooling": "#e8833a", "skip": "#1e9e6a", "none": "#b8c0c9", "other": "#8a5cc2"}
_STEP = 1.55  # distance of two nodes, in inches
_RISE = 0.36  # height of an arc per node that it spans, in inches


@figures.in_report_style
def architecture_figure(decisions: Mapping[str, Iterable[str]]) -> Any | None:
    """Draws the cells that the decisions describe; None if they are not those of a ready-made cell space."""
    graphs = cell_graphs(decisions)
    if not graphs:
        return None
    sides = [_sides(graph) for graph in graphs]
    extents = [_extent(graph, side) for graph, side in zip(graphs, sides)]
    heights = [top + bottom for top, bottom in extents]
    width = min(10.6, max(len(graph.nodes) for graph in graphs) * _STEP)
    figure, axes = figures.new_figure(
        width, sum(heights) + 0.3 * len(graphs), rows=len(graphs), squeeze=False, height_ratios=heights
    )
    for axis, graph, side, (top, bottom) in zip(axes[:, 0], graphs, sides, extents):
        _draw_cell(axis, graph, side)
        axis.set_xlim(-0.5 * _STEP, (len(graph.nodes) - 0.5) * _STEP)
        axis.set_ylim(-bottom, top)
        axis.set_title(graph.name, parse_math=False)
        axis.axis("off")
    return figure


def kind_of(operation: str) -> str:
    """Which colour an operation gets: `convolution`, `pooling`, `skip`, `none` or `other`."""
    name = operation.lower()
    if name.startswith(SKIP_WORDS):
        return "skip"
    if name.startswith(NONE_WORDS):
        return "none"
    return "pooling" if "pool" in name else "convolution" if "conv" in name else "other"


def _sides(graph: CellGraph) -> list[int]:
    """For each edge 1 (above), -1 (below) or 0 (straight), such that arcs of one side rarely cross."""
    order = sorted(range(len(graph.edges)), key=lambda k: graph.edges[k][0] - graph.edges[k][1])
    sides = [0] * len(graph.edges)
    placed: list[tuple[int, int, int]] = []
    for k in order:
        start, end, _ = graph.edges[k]
        taken = (start, end, 0) in placed
        if end - start > 1 or taken:
            costs = {
                side: sum(_conflict((start, end), other[:2]) for other in placed if other[2] == side)
                for side in (1, -1)
            }
            sides[k] = min(costs, key=lambda side: (costs[side], -side))
        placed.append((start, end, sides[k]))
    return sides


def _conflict(one: tuple[int, int], other: tuple[int, int]) -> int:
    """2 for arcs that cross, 1 for arcs whose labels stand over one another, else 0."""
    (a, b), (c, d) = sorted((one, other))
    if a < c < b < d:
        return 2
    return int(a + b == c + d)


def _extent(graph: CellGraph, sides: list[int]) -> tuple[float, float]:
    """Height above and below the line of nodes, in inches."""
    reach = {
        side: max(((e[1] - e[0]) * _RISE for e, s in zip(graph.edges, sides) if s == side), default=0.0)
        for side in (1, -1)
    }
    return max(reach[1] + 0.3, 0.5), max(reach[-1] + 0.3, 0.5)


def _draw_cell(axis: Any, graph: CellGraph, sides: list[int]) -> None:
    from matplotlib.patches import FancyBboxPatch

    if graph.joined:
        left, right = graph.joined[0] * _STEP - 0.3, graph.joined[-1] * _STEP + 0.3
        box = FancyBboxPatch(
            (left, -0.27),
            right - left,
            0.54,
            boxstyle="round,pad=0,rounding_size=0.27",
            facecolor="#f1f4f8",
            edgecolor="none",
        )
        axis.add_patch(box)
        end = (len(graph.nodes) - 1) * _STEP
        _arrow(axis, right, end - 0.3, 0.0, figures.FAINT, "solid")
        axis.text((right + end - 0.3) / 2, 0.1, "concat", ha="center", va="bottom", fontsize=8, color=figures.FAINT)
    for (start, end_node, operation), side in zip(graph.edges, sides):
        _draw_edge(axis, start, end_node, operation, side)
    for position, name in enumerate(graph.nodes):
        outer = not name.isdigit()
        axis.text(
            position * _STEP,
            0,
            name,
            ha="center",
            va="center",
            fontsize=8.5,
            color="white" if outer else figures.INK,
            bbox={
                "boxstyle": "round,pad=0.45" if outer else "circle,pad=0.4",
                "facecolor": "#3e4c59" if outer else "white",
                "edgecolor": "#3e4c59",
                "linewidth": 1.2,
            },
            zorder=5,
        )


def _draw_edge(axis: Any, start: int, end: int, operation: str, side: int) -> None:
    colour = _COLOURS[kind_of(operation)]
    style = (0, (2, 2)) if kind_of(operation) == "none" else "solid"
    x0, x1, height = start * _STEP, end * _STEP, side * (end - start) * _RISE
    if side == 0:
        _arrow(axis, x0 + 0.3, x1 - 0.27, 0.0, colour, style)
    else:
        _arrow(axis, x0, x1, height, colour, style)
    axis.text(
        (x0 + x1) / 2,
        height if side else 0.13,
        operation,
        parse_math=False,
        ha="center",
        va="center",
        fontsize=7.5,
        color=figures.INK if kind_of(operation) != "none" else figures.FAINT,
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour, "linewidth": 0.8, "alpha": 0.95},
        zorder=6,
    )


def _arrow(axis: Any, x0: float, x1: float, height: float, colour: str, style: Any) -> None:
    """An arrow from `x0` to `x1` on the line of nodes, whose middle stands at `height`."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    if height == 0:
        path = Path([(x0, 0), (x1, 0)])
    else:
        # The middle of a cubic curve is (p0 + 3 p1 + 3 p2 + p3) / 8, so inner points at 4/3 of the height.
        up, lean, edge = height * 4 / 3, 0.18 * (x1 - x0), 0.2 if height > 0 else -0.2
        rest = up - edge / 3
        path = Path(
            [(x0 + 0.08, edge), (x0 + lean, rest), (x1 - lean, rest), (x1 - 0.08, edge)],
            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
        )
    axis.add_patch(
        FancyArrowPatch(
            path=path, arrowstyle="-|>", mutation_scale=10, color=colour, linewidth=1.6, linestyle=style, zorder=2
        )
    )
