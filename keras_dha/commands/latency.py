"""`keras-dha latency`: a table of milliseconds, measured on the machine at hand."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_dha import spaces
from keras_dha.commands.defaults import CELLS, CHANNELS
from keras_dha.commands.errors import CommandError, bad_input
from keras_dha.commands.run_folder import obstacle_to
from keras_dha.costs import LatencyTable

_KINDS: dict[str, tuple[Any, str]] = {
    "nas_bench_201": (spaces.NASBench201Space, "cells_per_stage"),
    "darts": (spaces.DARTSSpace, "cells"),
    "mobile_net": (spaces.MobileNetSpace, "repeats"),
}


def latency(
    space: str,
    out: str | os.PathLike[str],
    *,
    runtime: str = "litert",
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    channels: int | None = None,
    cells: int | None = None,
    quiet: bool = False,
) -> str:
    """Measures what the parts of a space's networks take, and writes the table.

    Args:
        space: `"nas_bench_201"`, `"darts"` or `"mobile_net"`.
        out: A new JSON file, for `keras_dha.costs.LatencyTable.load`.
        runtime: `"litert"` or `"saved_model"`.
        input_shape: `(height, width, channels)` of a picture.
        classes: Number of outputs.
        channels: As in the space; the command line's default by default.
        cells: Cells, in `nas_bench_201` of each stage; in `mobile_net` most layers of a stage.
        quiet: No word on how far it is.

    Returns:
        What to tell the user at the end.

    Raises:
        CommandError: If something is not as it must be, before anything is measured; a package is missing; or the
            table cannot be written.
    """
    target = Path(out)
    if target.exists() or target.suffix != ".json":
        raise CommandError(
            f"--out must be a new name that ends with .json. Received: {target}"
            f"{', which exists' if target.exists() else ''}. Give another name."
        )
    obstacle = obstacle_to(target.parent)
    if obstacle is not None:
        raise CommandError(
            f"The table must be written into a folder, by somebody who may. Received: {target}, but {obstacle} cannot "
            "be written to. Give another name by --out."
        )
    kind, counted = _KINDS[space]
    count = CELLS[space] if cells is None else cells
    with bad_input():
        measured = kind(tuple(input_shape), classes, channels=channels or CHANNELS, **{counted: count})
        table = LatencyTable.measure(measured, runtime=runtime, progress=None if quiet else _tell)
        slowest = table.largest(measured)
        target.parent.mkdir(parents=True, exist_ok=True)
        table.save(target)
    call = ", ".join([str(tuple(input_shape)), str(classes), f"channels={channels or CHANNELS}", f"{counted}={count}"])
    return (
        f"{len(table.entries)} parts measured in {runtime}; predictions differ from whole networks by "
        f"{table.median_error:.1%} in the median.\n"
        f"The slowest network of {kind.__name__}({call}) takes {slowest:.3g} ms.\n"
        f"Written: {target}"
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
