"""Learning curves, and the numbers that the search moved, over the epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_dha.reports import figure as figures

Line = tuple[str, str, str]  # column, label, colour

LOSSES: tuple[Line, ...] = (
    ("loss", "training", figures.TRAIN),
    ("held_out_loss", "held-out", figures.HELD_OUT),
    ("val_loss", "test", figures.VALIDATION),
)
ACCURACIES: tuple[Line, ...] = (
    ("accuracy", "training", figures.TRAIN),
    ("held_out_accuracy", "held-out", figures.HELD_OUT),
    ("val_accuracy", "test", figures.VALIDATION),
)


@figures.in_report_style
def learning_curves(history: Mapping[str, np.ndarray]) -> Any | None:
    """Loss and accuracy of the training, held-out and test part; None if nothing was logged."""
    if not _has(history, [*LOSSES, *ACCURACIES]):
        return None
    figure, axes = figures.new_figure(9.4, 3.3, columns=2)
    _draw(axes[0], history, LOSSES, "Loss")
    _draw(axes[1], history, ACCURACIES, "Accuracy")
    return figure


@figures.in_report_style
def rate_curves(history: Mapping[str, np.ndarray]) -> Any | None:
    """Learning rate and weight decay over the epochs, on a log scale; None if neither was logged."""
    rates: list[Line] = [
        ("learning_rate", "Learning rate", figures.TRAIN),
        ("weight_decay", "Weight decay", figures.HELD_OUT),
    ]
    present = [line for line in rates if _has(history, [line])]
    if not present:
        return None
    figure, axes = figures.new_figure(9.4, 2.9, columns=2)
    for axis, line in zip(axes, present):
        _draw(axis, history, [line], line[1], legend=False)
        if np.nanmin(history[line[0]]) > 0:
            _logarithmic(axis)
    for axis in axes[len(present) :]:
        axis.set_visible(False)
    return figure


@figures.in_report_style
def entropy_curves(history: Mapping[str, np.ndarray]) -> Any | None:
    """Entropy of the decisions and of the policy, 1 undecided and 0 decided; None if neither was logged."""
    lines: list[Line] = [
        ("entropy", "Entropy of the decisions (1: undecided)", figures.TRAIN),
        ("policy_entropy", "Entropy of the policy", figures.HELD_OUT),
    ]
    present = [line for line in lines if _has(history, [line])]
    if not present:
        return None
    figure, axes = figures.new_figure(9.4, 2.7, columns=2)
    for axis, line in zip(axes, present):
        _draw(axis, history, [line], line[1], legend=False)
        low, high = np.nanmin(history[line[0]]), np.nanmax(history[line[0]])
        # A policy that has hardly moved must look so: never less than 5 % of the value from bottom to top.
        margin = max(0.1 * (high - low), 0.025 * abs(high), 1e-3)
        axis.set_ylim((-0.03, 1.05) if line[0] == "entropy" else (low - margin, high + margin))
    for axis in axes[len(present) :]:
        axis.set_visible(False)
    return figure


def settle_start(history: Mapping[str, np.ndarray]) -> int | None:
    """Number of the first settle epoch, counted from 1; None if there was none."""
    settled = np.flatnonzero(np.asarray(history.get("phase", [])) >= 0.5)
    return int(settled[0]) + 1 if settled.size else None


def _has(history: Mapping[str, np.ndarray], lines: Sequence[Line]) -> bool:
    return any(column in history and np.isfinite(history[column]).any() for column, _, _ in lines)


def _draw(
    axis: Any, history: Mapping[str, np.ndarray], lines: Sequence[Line], title: str, *, legend: bool = True
) -> None:
    count = 0
    for column, label, colour in lines:
        if _has(history, [(column, label, colour)]):
            values = np.asarray(history[column], dtype=np.float64)
            count = max(count, values.size)
            marker = "o" if values.size <= 2 else None
            axis.plot(np.arange(1, values.size + 1), values, label=label, color=colour, marker=marker)
    _shade_phases(axis, settle_start(history), count)
    axis.set_title(title, pad=14)
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(axis="x", visible=False)
    if legend and count:
        axis.legend(loc="best")


def _logarithmic(axis: Any) -> None:
    """A log scale with plain numbers, on which a narrow range keeps a few ticks."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    low, high = axis.get_ylim()
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100 else (1.0,)))
    if high / low < 4:
        middle = (low * high) ** 0.5
        axis.set_ylim(min(low, middle / 2), max(high, middle * 2))


def _shade_phases(axis: Any, start: int | None, count: int) -> None:
    end = count + 0.5
    border = end if start is None else start - 0.5
    axis.set_xlim(0.5, max(end, 1.5))
    spans = [("search", 0.5, border, figures.SEARCH_SHADE), ("settle", border, end, figures.SETTLE_SHADE)]
    for name, left, right, colour in spans:
        if right > left:
            axis.axvspan(left, right, color=colour, zorder=0, linewidth=0)
            axis.annotate(
                name,
                ((left + right) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7.5,
                color=figures.FAINT,
            )
    if 0.5 < border < end:
        axis.axvline(border, color=figures.FAINT, linewidth=0.8, linestyle=(0, (3, 3)))
