"""`keras-dha latency`: a table of milliseconds, measured on the machine at hand."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_dha.commands.defaults import CELLS, CHANNELS
from keras_dha.commands.errors import CommandError, bad_input
from keras_dha.commands.run_folder import obstacle_to
from keras_dha.commands.space import COUNTED, make_space
from keras_dha.costs import LatencyTable


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
    channels, cells = channels or CHANNELS[space], cells or CELLS[space]
    with bad_input():
        measured = make_space(space, input_shape, classes, channels=channels, cells=cells)
        table = LatencyTable.measure(measured, runtime=runtime, progress=None if quiet else tell)
        slowest, _ = table.agreement[-1]
        target.parent.mkdir(parents=True, exist_ok=True)
        table.save(target)
    call = ", ".join([str(tuple(input_shape)), str(classes), f"channels={channels}", f"{COUNTED[space]}={cells}"])
    return (
        f"{len(table.entries)} parts measured in {runtime}; predictions differ from whole networks by "
        f"{table.median_error:.1%} in the median.\n"
        f"The slowest network of {type(measured).__name__}({call}) takes {slowest:.3g} ms.\n"
        f"Written: {target}"
    )


def tell(text: str) -> None:
    """How far it is, for people."""
    print(text, file=sys.stderr, flush=True)
