"""The best practices of "NAS evaluation is frustratingly hard", answered from what a study did."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Practice:
    """One of them, and whether a study keeps it.

    Args:
        text: What should be done.
        kept: Whether it was; None if the study cannot know.
        evidence: What says so, or what would have to be done.
    """

    text: str
    kept: bool | None
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return dataclasses.asdict(self)


def best_practices(studies: Sequence[Mapping[str, Any]]) -> list[Practice]:
    """Which of the practices some studies keep.

    Args:
        studies: Each with `data`, `space`, `protocol`, `seeds`, `num_random`, and what `summary_of` returns.

    Returns:
        The six of the paper, and two of "Best practices for scientific research on neural architecture search".

    Raises:
        ValueError: If there is no study.

    Reference: https://arxiv.org/abs/1912.12522, section 6; Lindauer, Hutter, https://arxiv.org/abs/1909.02453.
    """
    if not studies:
        raise ValueError("There must be a study. Received: none. Run one first.")
    first = studies[0]
    numbers = [int(study["num_random"]) for study in studies]
    data, spaces = sorted({str(study["data"]) for study in studies}), sorted({str(study["space"]) for study in studies})
    tricks, sizes = all("plain" in study for study in studies), all("size" in study for study in studies)
    again, seeds = all("again" in study for study in studies), first["seeds"]
    return [
        Practice(
            "Report results with and without the tricks of training.",
            tricks,
            "both are reported" if tricks else "give --without-tricks",
        ),
        Practice(
            "Report mean and deviation of random architectures of the space.",
            True,
            f"{min(numbers)} of each of {', '.join(spaces)}",
        ),
        Practice(
            "Compare on several data sets.",
            len(data) > 1,
            ", ".join(data) if len(data) > 1 else f"only {data[0]}; give --data several",
        ),
        Practice(
            "Study the hidden parts: macro structure and protocol.",
            sizes and again,
            "other depths and training seeds are reported" if sizes and again else "give --depths and --again",
        ),
        Practice(
            "Release seeds, code and protocol, and use several seeds.",
            len(seeds) > 1,
            f"search seeds {', '.join(map(str, seeds))}; command, versions and protocol stand in this report",
        ),
        Practice(
            "Count the tuning of a search's own numbers as a part of the search.",
            None,
            "recipes ran with their defaults; whether those were settled on this data, only who chose them knows",
        ),
        Practice(
            "Compare with random search, too, by what it takes.",
            True,
            "the best of 1, 2, ... random architectures, chosen by the validation part, with seconds of both",
        ),
        Practice(
            "Choose nothing by the test part.",
            True,
            "searches see the training part, random search the validation part; accuracies are the last epoch's",
        ),
    ]
