"""The augmentation policy before and after, as heat maps over ordered pairs of operations."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_dha.reports import figure as figures


@figures.in_report_style
def policy_maps(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Any | None:
    """Probability of each ordered pair, first operation down and second across, times the number of pairs.

    A value of 1 is the uniform policy's. Both maps have one scale, so that colours compare.

    Args:
        before: A policy's plain data with `operations` and a square `probabilities`, or None.
        after: The same, at the end.

    Returns:
        A matplotlib figure; None if there is no policy of that kind.
    """
    named = (("Before", before), ("After", after))
    maps = [(title, policy, matrix) for title, policy in named if policy and (matrix := _matrix(policy)) is not None]
    if not maps:
        return None
    figure, axes = figures.new_figure(9.6, 4.9, columns=2, squeeze=False)
    ratios = [matrix * matrix.size for _, _, matrix in maps]
    # Symmetric around 1 in the logarithm, and never narrower than a factor of 1.05: noise must not look like a result.
    reach = max(np.log(1.05), max(float(np.abs(np.log(np.maximum(ratio, 1e-3))).max()) for ratio in ratios))
    for axis, (title, policy, _), ratio in zip(axes[0], maps, ratios):
        image = axis.imshow(np.log(np.maximum(ratio, 1e-3)), cmap="RdBu_r", vmin=-reach, vmax=reach)
        _label(axis, title, policy["operations"])
    for axis in axes[0][len(maps) :]:
        axis.set_visible(False)
    ticks = np.linspace(-reach, reach, 5)
    bar = figure.colorbar(image, ax=list(axes[0]), shrink=0.75, pad=0.02, ticks=ticks)
    bar.ax.set_yticklabels([f"x {np.exp(tick):.3g}" for tick in ticks])
    bar.outline.set_visible(False)
    bar.set_label("times the uniform probability")
    return figure


def top_pairs(policy: Mapping[str, Any] | None, count: int = 5) -> list[tuple[str, str, float]]:
    """The most probable ordered pairs: first operation, second operation, probability."""
    matrix = _matrix(policy)
    if matrix is None or policy is None:
        return []
    names = policy["operations"]
    order = np.argsort(-matrix, axis=None, kind="stable")[:count]
    return [(names[i // len(names)], names[i % len(names)], float(matrix.flat[i])) for i in order]


def _matrix(policy: Mapping[str, Any] | None) -> np.ndarray | None:
    if not policy or "operations" not in policy or "probabilities" not in policy:
        return None
    matrix = np.asarray(policy["probabilities"], dtype=np.float64)
    return matrix if matrix.shape == (len(policy["operations"]),) * 2 else None


def _label(axis: Any, title: str, operations: list[str]) -> None:
    positions = np.arange(len(operations))
    axis.set_title(title)
    axis.set_xticks(
        positions, operations, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5, parse_math=False
    )
    axis.set_yticks(positions, operations, fontsize=7.5, parse_math=False)
    axis.set_xlabel("second operation")
    axis.set_ylabel("first operation")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
