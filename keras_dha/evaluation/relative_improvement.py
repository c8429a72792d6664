"""How much a search adds over architectures drawn at random, trained the same way."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_DRAWS = 10_000  # of the bootstrap


@dataclasses.dataclass(frozen=True)
class Group:
    """Accuracies of networks that were trained by one protocol.

    Args:
        name: What they have in common.
        accuracies: One a network, above 0; all of 1, or all of 100.
        protocol: How they were trained, as plain data; None if it is not known, which is then the caller's to answer
            for.

    Raises:
        ValueError: If there is no accuracy, or one is not a positive number.

    Example:

    >>> Group("random", [0.5, 0.75, 1.0]).mean
    0.75
    """

    name: str
    accuracies: Sequence[float]
    protocol: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.accuracies, dtype=np.float64)
        if values.ndim != 1 or not values.size or not (np.isfinite(values).all() and (values > 0.0).all()):
            raise ValueError(
                "A group must have at least one accuracy, each a positive number. "
                f"Received: {list(self.accuracies)} in the group {self.name!r}. Leave failed runs out, and say so."
            )
        object.__setattr__(self, "accuracies", tuple(values.tolist()))

    @property
    def mean(self) -> float:
        """The mean."""
        return statistics.fmean(self.accuracies)

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.accuracies)

    @property
    def deviation(self) -> float:
        """The standard deviation of the group itself, as the paper has it: divided by n, not by n - 1."""
        return statistics.pstdev(self.accuracies)

    def to_dict(self) -> dict[str, Any]:
        """Name, accuracies and what they amount to, as plain data."""
        spread = {"mean": self.mean, "median": self.median, "deviation": self.deviation}
        return {"name": self.name, "accuracies": list(self.accuracies), **spread}


@dataclasses.dataclass(frozen=True)
class RelativeImprovement:
    """What `relative_improvement` finds, in per cent.

    Args:
        against_mean: Over the mean of the random architectures: the RI of the paper.
        against_median: Over their median, which tells more where a space holds broken networks.
        interval: Between these lies the RI over the mean of 95 of 100 bootstrap samples of both groups.
        searched: The one group.
        random: The other one.
    """

    against_mean: float
    against_median: float
    interval: tuple[float, float]
    searched: Group
    random: Group

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, with the protocol."""
        return {
            "against_mean": self.against_mean,
            "against_median": self.against_median,
            "interval": list(self.interval),
            "searched": self.searched.to_dict(),
            "random": self.random.to_dict(),
            "protocol": None if self.random.protocol is None else dict(self.random.protocol),
        }


def relative_improvement(
    searched: Group | Sequence[float], random: Group | Sequence[float], *, seed: int = 0
) -> RelativeImprovement:
    """`RI = 100 (Acc_m - Acc_r) / Acc_r`, in per cent.

    `Acc_m` is the mean test accuracy of the architectures that a search found, one a search seed; `Acc_r` that of
    architectures drawn at random from the same space: drawn, not the best of a random search. Both are trained by the
    same protocol.

    Args:
        searched: A group, or its accuracies, of 1 or of 100.
        random: Likewise.
        seed: Of the bootstrap.

    Raises:
        ValueError: If a group is empty, an accuracy is not positive, or the groups were trained by different protocols.

    Example:

    >>> relative_improvement([0.9, 0.9], [0.5, 0.7]).against_mean
    50.0

    Reference: Yang, Esperanca, Carlucci, "NAS evaluation is frustratingly hard", https://arxiv.org/abs/1912.12522,
    equation 1. The median and the interval are ours.
    """
    first = searched if isinstance(searched, Group) else Group("searched", searched)
    second = random if isinstance(random, Group) else Group("random", random)
    _check_same_protocol(first, second)
    rng = np.random.default_rng(seed)
    means = [_bootstrap_means(group, rng) for group in (first, second)]
    low, high = np.quantile(_improvement(means[0], means[1]), [0.025, 0.975])
    return RelativeImprovement(
        against_mean=round(float(_improvement(first.mean, second.mean)), 10),
        against_median=round(float(_improvement(first.mean, second.median)), 10),
        interval=(float(low), float(high)),
        searched=first,
        random=second,
    )


def _improvement(searched: Any, random: Any) -> Any:
    return 100.0 * (searched - random) / random


def _bootstrap_means(group: Group, rng: np.random.Generator) -> np.ndarray:
    values = np.asarray(group.accuracies)
    return rng.choice(values, (_DRAWS, values.size)).mean(axis=1)


def _check_same_protocol(first: Group, second: Group) -> None:
    if first.protocol is None or second.protocol is None:
        return
    names = sorted({*first.protocol, *second.protocol})
    differ = {name: (first.protocol.get(name), second.protocol.get(name)) for name in names}
    differ = {name: pair for name, pair in differ.items() if pair[0] != pair[1]}
    if differ:
        raise ValueError(
            "Groups that are compared must have been trained by the same protocol. "
            f"Received: {first.name!r} and {second.name!r}, which differ in {differ}. Train one of them anew."
        )
