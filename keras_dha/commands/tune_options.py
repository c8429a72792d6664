"""What a user may say about trials."""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from keras_dha.commands.options import SearchOptions

ORACLES = ("weak_predictor", "evolution", "parzen", "bayesian", "random")


@dataclasses.dataclass(frozen=True)
class TuneOptions:
    """The options of `keras-dha tune` that decide what is computed; None where the user gave none.

    Args:
        data: `digits`, `npz:FILE`, `dir:FOLDER` or `tfds:NAME`.
        space: As in `SearchOptions`, like the next two.
        channels: Of the first cell.
        cells: Number of cells.
        oracle: One of `ORACLES`, which proposes trials.
        trials: How many trials there are.
        epochs: Of each trial.
        batch_size: Examples in a training step.
        seed: Makes proposals repeatable, and trials.
    """

    data: str | None = None
    space: str | None = None
    channels: int | None = None
    cells: int | None = None
    oracle: str | None = None
    trials: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None

    def of_network(self) -> SearchOptions:
        """Those of data and networks, as a search has them."""
        names = ("data", "space", "channels", "cells", "epochs", "batch_size", "seed")
        return SearchOptions(**{name: getattr(self, name) for name in names})

    def with_absolute_paths(self) -> "TuneOptions":
        """These options with the full path of the data."""
        return dataclasses.replace(self, data=self.of_network().with_absolute_paths().data)

    def filled(self, defaults: Mapping[str, Any]) -> "TuneOptions":
        """These options, with `defaults` where the user gave none."""
        own = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        names = [field.name for field in dataclasses.fields(self)]
        return TuneOptions(**{**{name: defaults[name] for name in names if name in defaults}, **own})

    def check_resumed(self, stored: "TuneOptions") -> None:
        """Raises a `ValueError` if these differ from those of trials that go on."""
        own = dataclasses.asdict(self.with_absolute_paths())
        given = {name: value for name, value in own.items() if value is not None}
        before = dataclasses.asdict(stored)
        changed = {name: value for name, value in given.items() if before[name] != value}
        if changed:
            raise ValueError(
                "Trials that go on must keep their options. "
                f"Received: {changed}, before { ({name: before[name] for name in changed}) }. Leave them out, or start "
                "in another folder."
            )

    def command(self, out: str) -> str:
        """The command line that starts these trials."""
        words = ["keras-dha", "tune", "--data", str(self.data), "--out", out]
        for name, value in dataclasses.asdict(self).items():
            if value is not None and name != "data":
                words += ["--" + name.replace("_", "-"), str(value)]
        return shlex.join(words)
