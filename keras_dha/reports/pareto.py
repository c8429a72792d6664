"""A Pareto set: what accuracy costs, as a picture and a table of all points."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_dha.reports import figure as figures
from keras_dha.reports.html_parts import columns, document, duration, picture, section, table

Point = Mapping[str, Any]
_COSTS = (  # of a point: its name for people, and how many make one
    ("measured_ms", "milliseconds, measured", 1.0),
    ("predicted_ms", "milliseconds, predicted", 1.0),
    ("multiply_adds", "million multiply-adds", 1e6),
    ("parameters", "thousand parameters", 1e3),
)


def on_front(points: Sequence[Point], cost: str) -> list[bool]:
    """Whether no other point is as accurate for less, or more accurate for as much.

    Args:
        points: Each with `"accuracy"` and the cost.
        cost: A field of theirs.
    """
    values = np.array([(point["accuracy"], -point[cost]) for point in points])
    return [not any((other >= own).all() and (other > own).any() for other in values) for own in values]


@figures.in_report_style
def pareto_figure(points: Sequence[Point]) -> Any | None:
    """Test accuracy against up to two costs; filled, joined: points that no other beats in both; None for no points.

    Args:
        points: As in `result.json`, each with `"accuracy"`, `"share"`, and costs.
    """
    panels = [panel for panel in _COSTS if all(panel[0] in point for point in points)]
    panels = [panel for panel in panels if panel[0] != "predicted_ms" or panels[0] is panel][:2]
    if not points or not panels:
        return None
    figure, axes = figures.new_figure(9.4, 3.6, columns=2)
    for axis, (cost, label, unit) in zip(axes, panels):
        _draw(axis, points, cost, unit)
        axis.set_xlabel(label)
        axis.set_title("Test accuracy")
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return figure


def _draw(axis: Any, points: Sequence[Point], cost: str, unit: float) -> None:
    front = on_front(points, cost)
    spots = [(point[cost] / unit, point["accuracy"]) for point in points]
    line = sorted(spot for spot, is_best in zip(spots, front) if is_best)
    axis.plot(*zip(*line), color=figures.TRAIN, linewidth=1.2, zorder=1)
    for point, spot, is_best in zip(points, spots, front):
        face = figures.TRAIN if is_best else "white"
        axis.plot(*spot, marker="o", color=figures.TRAIN, markerfacecolor=face, linestyle="none")
        axis.annotate(f"{point['share']:g}", spot, xytext=(6, -10), textcoords="offset points", fontsize=8)
    axis.margins(0.12, 0.18)


def render_pareto(result: Mapping[str, Any]) -> str:
    """The page of a Pareto set.

    Args:
        result: What `result.json` holds.

    Raises:
        ReportUnavailableError: If matplotlib is not installed.
    """
    figures.import_matplotlib()
    points, data = list(result.get("points", ())), result.get("data", {})
    best = max((point["accuracy"] for point in points), default=0.0)
    tiles = [("points", str(len(points))), ("best test accuracy", f"{100 * best:.2f} %")]
    tiles += [("wall time", duration(result.get("seconds", {}).get("total", 0.0))), ("seed", str(result.get("seed")))]
    note = (
        f"<p>Each point is a search in one fit, whose {_words(result.get('cost', ''))} was bound to the share of the "
        "largest network's that is written beside it. Filled: no other point is better in both.</p>"
    )
    how = [("Versions", ", ".join(f"{name} {version}" for name, version in result.get("versions", {}).items()))]
    how += [("Device", str(result.get("device", "unknown"))), ("Ended", str(result.get("ended", "unknown")))]
    how = [("Command", str(result.get("command", ""))), *how]
    alt = "Test accuracy against costs, a point for each bound"
    sections = [
        section("Accuracy and cost", picture(pareto_figure(points), alt) + note),
        section("Points", _points(points)),
        section("Decisions", _decisions(points)),
        section("How it was made", table(how)),
    ]
    return document(f"{data.get('name', 'run')}: Pareto set of keras_dha", tiles, sections)


def _points(points: Sequence[Point]) -> str:
    headings = ["share", "accuracy", "ms measured", "ms predicted", "multiply-adds", "parameters", "time", "folder"]
    rows = [
        [
            f"{point['share']:g}",
            f"{point['accuracy']:.4f}",
            *(f"{point[name]:.4g}" if name in point else "not known" for name in ("measured_ms", "predicted_ms")),
            *(f"{point[name]:,}" for name in ("multiply_adds", "parameters")),
            duration(point["seconds"]),
            point["folder"],
        ]
        for point in points
    ]
    return columns(headings, rows)


def _decisions(points: Sequence[Point]) -> str:
    names = list(dict.fromkeys(name for point in points for name in point["decisions"]))
    rows = [[name, *(", ".join(point["decisions"].get(name, ())) for point in points)] for name in names]
    return columns(["choice", *(f"{point['share']:g}" for point in points)], rows) if rows else ""


def _words(cost: str) -> str:
    return {"latency_ms": "latency", "multiply_adds": "number of multiply-adds", "model_bytes": "size"}.get(
        cost, "number of parameters"
    )
