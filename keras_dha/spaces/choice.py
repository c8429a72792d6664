"""A question that a search space asks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Choice:
    """One question of a space: which `keep` of these options?

    Args:
        name: The decision's name; asked twice, it is the same decision.
        options: Names of the options, in order.
        keep: How many options are kept.
        groups: For each option, the number of its group (the input that it reads); of one group at most one option
            is kept. None: every option is a group of its own.
        excluded: Options that may take weight during the search, and are never kept.
        at_least: How few options a decision may keep, where `Topology` learns their number; other relaxations keep
            `keep`. None: as many.
        multiple_of: Their number is a multiple of it, or `keep`. Not with groups, excluded or nested options.
        nested: Whether each option holds what the options before it hold, as sizes do, smallest first. The part that an
            option adds to those before it is there if it, or a later one, is kept.
        capacities: How large each option is, where its own parameters do not say it, for the `capacity_prior` of a
            relaxation: numbers of one unit. None: the parameters say it.

    Raises:
        ValueError: If names repeat, `keep` options cannot be kept, numbers are out of range, or capacities are not one
            number an option.
    """

    name: str
    options: tuple[str, ...]
    keep: int = 1
    groups: tuple[int, ...] | None = None
    excluded: tuple[str, ...] = ()
    at_least: int | None = None
    nested: bool = False
    capacities: tuple[float, ...] | None = None
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if len(set(self.options)) != len(self.options) or not self.options:
            raise ValueError(
                f"The options of the choice {self.name!r} must be at least one name, all different. "
                f"Received: options={self.options}. Rename the repeated ones."
            )
        unknown = set(self.excluded) - set(self.options)
        if unknown:
            raise ValueError(
                f"The excluded options of the choice {self.name!r} must be options. "
                f"Received: excluded={self.excluded}, options={self.options}. Remove {sorted(unknown)}."
            )
        if self.groups is not None and len(self.groups) != len(self.options):
            raise ValueError(
                f"The choice {self.name!r} must have one group number per option. "
                f"Received: groups={self.groups}, options={self.options}."
            )
        sizes = self.capacities
        if sizes is not None and (len(sizes) != len(self.options) or not all(0.0 <= x < float("inf") for x in sizes)):
            raise ValueError(
                f"The choice {self.name!r} must have one capacity an option, a number of at least 0. "
                f"Received: capacities={sizes}, options={self.options}. Correct them."
            )
        if self.nested and (self.keep != 1 or self.excluded):
            raise ValueError(
                f"The choice {self.name!r} of nested options must keep one, and exclude none. "
                f"Received: keep={self.keep}, excluded={self.excluded}. Leave both out."
            )
        possible = {group for option, group in zip(self.options, self.group_numbers) if option not in self.excluded}
        if not 1 <= self.keep <= len(possible):
            raise ValueError(
                f"The choice {self.name!r} must keep between 1 and {len(possible)} options (one per group, excluded "
                f"ones left out). Received: keep={self.keep}. Lower keep or add options."
            )
        if self.at_least is not None and not 1 <= self.at_least <= self.keep:
            raise ValueError(
                f"The choice {self.name!r} must keep at least one option, and at most `keep`. "
                f"Received: at_least={self.at_least}, keep={self.keep}. Give at_least=None to keep {self.keep}."
            )
        plain = self.groups is None and not self.excluded and not self.nested
        if self.multiple_of < 1 or (self.multiple_of > 1 and not plain):
            raise ValueError(
                f"multiple_of of the choice {self.name!r} must be at least 1, and 1 where there are groups, excluded "
                f"or nested options. Received: multiple_of={self.multiple_of}. Leave it out."
            )

    @property
    def numbers(self) -> tuple[int, ...]:
        """How many options a decision may keep, rising."""
        least = self.keep if self.at_least is None else self.at_least
        return (*(number for number in range(least, self.keep) if number % self.multiple_of == 0), self.keep)

    @property
    def fewest(self) -> int:
        """How few options a decision may keep."""
        return self.numbers[0]

    @property
    def group_numbers(self) -> tuple[int, ...]:
        """The group of each option; options without groups stand alone."""
        return self.groups if self.groups is not None else tuple(range(len(self.options)))

    @property
    def allowed(self) -> np.ndarray:
        """Which options may be kept: bool, shape `(num_options,)`."""
        return np.array([option not in self.excluded for option in self.options])

    def parts(self, kept: Iterable[int]) -> np.ndarray:
        """Which options are there, in whole or as a part of what is kept: bool, `(num_options,)`.

        Args:
            kept: The positions of the kept options.
        """
        positions, numbers = np.arange(len(self.options)), np.array(list(kept), dtype=int)
        return positions <= numbers.max(initial=-1) if self.nested else np.isin(positions, numbers)

    def top(self, scores: np.ndarray) -> np.ndarray:
        """The positions of the `keep` allowed options of largest score, at most one per group, in rising order.

        Args:
            scores: Shape `(num_options,)`. Ties go to the first option.
        """
        kept: list[int] = []
        taken: set[int] = set()
        for position in np.argsort(-np.asarray(scores), kind="stable"):
            group = self.group_numbers[position]
            if self.allowed[position] and group not in taken:
                kept.append(int(position))
                taken.add(group)
            if len(kept) == self.keep:
                break
        return np.sort(np.array(kept, dtype=np.int32))
