"""What it takes to poison a selection, and what that means."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

MODES = ("aware", "oblivious")
_FEW, _MANY = 0.01, 0.1  # shares of the table, below and above which advice changes; ours


@dataclasses.dataclass(frozen=True)
class PoisonBudgets:
    """The fewest poison rows for each feature; `selection_robustness` makes it. Plain data throughout.

    Args:
        mode: `"aware"` or `"oblivious"`.
        num_rows: Rows of the table.
        max_rows: The largest number of poison rows that was tried.
        targets: Numbers of the features.
        rows: The fewest rows for each target with the label that needs fewest, of those that `mode` tries; None if
            `max_rows` do not suffice.
        blind_rows: The same with the label that an oblivious attacker takes.
        labels: The label of `rows` for each target.
    """

    mode: str
    num_rows: int
    max_rows: int
    targets: tuple[int, ...]
    rows: tuple[int | None, ...]
    blind_rows: tuple[int | None, ...]
    labels: tuple[float, ...]

    @property
    def aware(self) -> int | None:
        """What an aware attacker needs: the least of `rows`. In mode `"oblivious"`, of those with one label."""
        return min((count for count in self.rows if count is not None), default=None)

    @property
    def cheapest(self) -> int | None:
        """The feature that an aware attacker takes."""
        return None if self.aware is None else self.targets[self.rows.index(self.aware)]

    def oblivious(self, quantile: float = 0.5) -> int | None:
        """With how many rows an oblivious attacker, who draws a target blindly, succeeds with this probability.

        Args:
            quantile: In (0, 1]. Defaults to 0.5.

        Raises:
            ValueError: If it is out of range.
        """
        if not 0.0 < quantile <= 1.0:
            raise ValueError(f"quantile must be in (0, 1]. Received: quantile={quantile}. Give 0.5, the median.")
        ordered = sorted(self.blind_rows, key=lambda count: math.inf if count is None else count)
        return ordered[math.ceil(quantile * len(ordered) - 1e-9) - 1]

    @property
    def stability(self) -> int | None:
        """What the attacker of `mode` needs: `aware`, or the median of the oblivious one."""
        return self.aware if self.mode == "aware" else self.oblivious()

    @property
    def share(self) -> float | None:
        """`stability` over the number of rows of the table."""
        return None if self.stability is None else self.stability / self.num_rows

    def gap(self, quantile: float = 0.5) -> int | None:
        """How many rows seeing the table saves: `oblivious(quantile) - aware`, at least 0; None if one is None.

        Args:
            quantile: In (0, 1]. Defaults to 0.5.
        """
        blind = self.oblivious(quantile)
        return None if blind is None or self.aware is None else blind - self.aware

    def curve(self, budgets: Sequence[int] | None = None) -> dict[str, list[float]]:
        """The probability of success by budget: `{"budgets": ..., "aware": ..., "oblivious": ...}`.

        Args:
            budgets: Numbers of rows, from 0 to `max_rows`. None: all at which something changes.

        Raises:
            ValueError: If a budget is out of range.
        """
        known = [count for count in (*self.rows, *self.blind_rows) if count is not None]
        budgets = sorted({0, *known}) if budgets is None else [int(budget) for budget in budgets]
        if any(not 0 <= budget <= self.max_rows for budget in budgets):
            raise ValueError(
                f"Budgets must be from 0 to max_rows={self.max_rows}. Received: budgets={budgets}. "
                "Give fewer rows, or measure with a larger max_rows."
            )

        def share(budget: int) -> float:
            return sum(count is not None and count <= budget for count in self.blind_rows) / len(self.blind_rows)

        return {
            "budgets": [float(budget) for budget in budgets],
            "aware": [float(self.aware is not None and self.aware <= budget) for budget in budgets],
            "oblivious": [share(budget) for budget in budgets],
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, with figures and advice, as JSON holds it."""
        quantiles = {str(quantile): self.oblivious(quantile) for quantile in (0.05, 0.25, 0.5, 0.75, 0.95)}
        figures = {"aware": self.aware, "cheapest": self.cheapest, "oblivious": quantiles, "share": self.share}
        lists = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        return {**lists, **figures, "gap": self.gap(), "curve": self.curve(), "advice": self.advice()}

    def advice(self) -> str:
        """What the figures mean for whose table this is, in a few sentences."""
        if self.aware is None:
            return (
                f"No feature that was left out came in with up to {self.max_rows} added rows, "
                f"{self.max_rows / self.num_rows:.1%} of the table. Larger numbers were not tried."
            )
        blind, number = self.oblivious(), self.aware / self.num_rows
        label = self.labels[self.rows.index(self.aware)]
        told = [
            f"Whoever sees the table needs {_rows(self.aware)} ({number:.1%} of {self.num_rows}), with y = {label:g}, "
            f"to have feature {self.cheapest} taken."
        ]
        if blind is None:
            told.append(f"Whoever does not see it fails for half of the features even with {_rows(self.max_rows)}.")
        else:
            told.append(f"Whoever does not see it needs {_rows(blind)} for an even chance.")
        told.append(_meaning(number))
        if blind is not None:
            told.append(_secrecy(self.aware / blind))
        return " ".join(told)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _meaning(share: float) -> str:
    if share < _FEW:
        return (
            "That is few: a double entry or a unit mixed up can do as much by accident. Whether that feature is taken "
            "is an open question, no finding; look for rows that stand alone in it, and at what another penalty takes."
        )
    if share < _MANY:
        return (
            "Accidents are seldom that many and that alike, but one careless or hostile source can be. Select once "
            "more without each source of rows, and trust what stays; a larger penalty needs more rows."
        )
    return (
        "So many rows are seen by counting where rows come from. The selection is as safe against added rows as the "
        "count of rows from each source."
    )


def _secrecy(ratio: float) -> str:
    if ratio < 0.8:
        return (
            f"Keeping the table secret helps: seeing it lowers the price to {ratio:.0%}. That is of this table; what "
            "an attacker can learn from similar data lies in between."
        )
    return f"Keeping the table secret helps little: seeing it lowers the price to {ratio:.0%} only."
