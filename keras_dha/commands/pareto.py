"""`keras-dha pareto`: a search for each of several bounds, and what accuracy costs."""

import contextlib
import csv
import dataclasses
import datetime
import io
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_dha.commands.errors import CommandError, bad_input, resumable
from keras_dha.commands.latency import tell
from keras_dha.commands.options import SearchOptions
from keras_dha.commands.results import report_of
from keras_dha.commands.run_folder import RunFolder
from keras_dha.commands.search import check_same_data, describe, load_data, search, versions, with_defaults
from keras_dha.commands.space import make_space
from keras_dha.costs import BlockCost, LatencyTable, milliseconds_of, model_bytes, multiply_adds, parameters
from keras_dha.data.sources import Source
from keras_dha.reports import run_record
from keras_dha.reports.html_parts import duration
from keras_dha.spaces import SearchSpace
from keras_dha.write_file import write_text

COUNTED: dict[str, Callable[[keras.Model], float]] = {
    "multiply_adds": multiply_adds,
    "parameters": parameters,
    "model_bytes": model_bytes,
}
_KEPT = "searches that ended are kept, and the one that ran up to its last epoch."
POINTS, TABLE, CSV = "points", "table.json", "pareto.csv"
_IN_CSV = ("share", "accuracy", "measured_ms", "predicted_ms", "multiply_adds", "parameters", "model_bytes", "seconds")


def pareto(
    options: SearchOptions,
    out: str,
    *,
    cost: str = "latency_ms",
    shares: Sequence[float] = (0.4, 0.6, 0.8, 1.0),
    resume: bool = False,
    quiet: bool = False,
) -> str:
    """Searches once for each share of the largest network's cost, each in one fit, and compares what comes out.

    Args:
        options: Of each search, without bounds.
        out: A new folder: each search has one in `points/`; `pareto.csv`, `report.html`, `table.json` stand beside.
        cost: What is bound: `"latency_ms"`, `"multiply_adds"`, `"parameters"` or `"model_bytes"`.
        shares: Of the largest network's cost, each in (0, 1].
        resume: Go on with what is unfinished in `out`; begin if there is nothing.
        quiet: No progress bars.

    Returns:
        What to tell the user at the end.

    Raises:
        CommandError: On bad input, before anything is trained.
        CommandInterrupted: On Ctrl-C; the message says how to go on.
    """
    started = time.monotonic()
    folder = RunFolder(out)
    if resume and folder.finished:
        return f"{out} holds a finished Pareto set: there is nothing to go on with."
    stored = folder.stored(resume=resume)
    with bad_input():
        options = options if stored is None else options.resumed(stored["arguments"])
        bounds = {"cost": cost, "shares": _checked(shares)}
        if stored is not None and stored.get("bounds") != bounds:
            raise ValueError(
                "A Pareto set that goes on must keep its cost and shares. "
                f"Received: {bounds}, before {stored.get('bounds')}. Give those, or another folder."
            )
        source = load_data(options)
        options = with_defaults(dataclasses.replace(options, recipe="single_path"), source)
        run: dict[str, Any] = {"arguments": options.to_dict(), "bounds": bounds, "data": describe(source)}
        run["command"] = _command(options, out, bounds)
        check_same_data(run, stored)
        space = _space(options, source)
        undo = folder.begin(run)
    with resumable(_KEPT, run["command"]):
        try:
            with bad_input():
                table = _table(options, folder.path, space, cost, quiet=quiet)
                limits = _limits(space, table, bounds)
        except CommandError:
            if stored is None:
                undo()
            raise
        _searches(options, folder.path, table, limits, quiet=quiet)
        return _write(folder, run, table, started)


def _checked(shares: Sequence[float]) -> list[float]:
    found = sorted({float(share) for share in shares})
    if not found or not all(0.0 < share <= 1.0 for share in found):
        raise ValueError(f"--shares must be in (0, 1]. Received: {list(shares)}. For example --shares 0.4 0.6 0.8 1.")
    return found


def _command(options: SearchOptions, out: str, bounds: dict[str, Any]) -> str:
    own = dataclasses.replace(options, space=None, recipe=None, flip=None)
    shares = " ".join(f"{share:g}" for share in bounds["shares"])
    return f"{own.command(out, 'pareto')} --cost {bounds['cost']} --shares {shares}"


def _space(options: SearchOptions, source: Source) -> SearchSpace:
    if source.x_test is None:
        raise ValueError(
            f"Data for a Pareto set must have a test part. Received: {source.name}, without one. Add x_test and y_test."
        )
    sizes = {"channels": int(options.channels or 1), "cells": int(options.cells or 1)}
    return make_space(str(options.space), source.input_shape, source.num_classes, **sizes)


def _table(options: SearchOptions, path: Path, space: SearchSpace, cost: str, *, quiet: bool) -> LatencyTable | None:
    """The table that was given, or one that is measured now, if latency is what counts."""
    own = path / TABLE
    if options.table is not None:
        return LatencyTable.load(options.table)
    if own.exists():
        return LatencyTable.load(own)
    if cost != "latency_ms":
        return None
    table = LatencyTable.measure(space, progress=None if quiet else tell)
    table.save(own)
    return table


def _limits(space: SearchSpace, table: LatencyTable | None, bounds: dict[str, Any]) -> dict[float, tuple[str, float]]:
    """For each share the option of a search, and its value."""
    name = bounds["cost"]
    cost = BlockCost.measure(space, table.predict if table and name == "latency_ms" else COUNTED[name])
    least = cost.least / cost.most
    if bounds["shares"][0] < least:
        raise ValueError(
            f"--shares must be within reach: the smallest network has {least:.3f} of the largest one's {name}. "
            f"Received: {bounds['shares']}. Leave out the smaller ones, or give the space fewer --channels."
        )
    whole = cost.most
    if table is not None and name == "latency_ms":  # parts add over blocks but for what is fused where they meet
        whole = table.predict_decisions(space, cost.extremes()[1])
    return {share: (f"max_{name}", share * whole) for share in bounds["shares"]}


def _searches(
    options: SearchOptions,
    path: Path,
    table: LatencyTable | None,
    limits: dict[float, tuple[str, float]],
    *,
    quiet: bool,
) -> None:
    """Those that are not finished yet."""
    for share, (name, limit) in limits.items():
        if not quiet:
            tell(f"search with {name} = {limit:.4g}, {share:g} of the largest network's")
        given = os.path.abspath(path / TABLE) if options.table is None else options.table
        changes: dict[str, Any] = {name: limit, "table": given if name == "max_latency_ms" else None}
        search(dataclasses.replace(options, **changes), str(path / POINTS / f"{share:g}"), resume=True, quiet=quiet)


def _write(folder: RunFolder, run: dict[str, Any], table: LatencyTable | None, started: float) -> str:
    """The table and the report of all points; `result.json` last."""
    places = [folder.path / POINTS / f"{share:g}" for share in run["bounds"]["shares"]]
    points = [_point(place, share, table) for place, share in zip(places, run["bounds"]["shares"])]
    runtime = table.runtime if table else "litert"
    told = ""
    try:
        models = [keras.models.load_model(place / run_record.MODEL, compile=False) for place in places]
        for point, timing in zip(points, milliseconds_of(models, runtime=runtime)):
            point["measured_ms"] = timing.ms
    except ImportError as error:
        told = f" Latencies were not measured: {error}"
    seconds = sum(point["seconds"] for point in points)
    result = {
        "format": 1,
        **{name: run[name] for name in ("data", "arguments", "command")},
        "cost": run["bounds"]["cost"],
        "seed": run["arguments"]["seed"],
        "points": points,
        "seconds": {"searches": seconds, "total": max(seconds, time.monotonic() - started)},
        "versions": versions(),
        "device": f"{table.device}, {runtime}" if table else runtime,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_text(folder.path / CSV, _csv(points))
    report = report_of(folder.path, result)
    folder.finish(result)
    best = max(points, key=lambda point: point["accuracy"])
    return (
        f"{len(points)} points, the best with test accuracy {best['accuracy']:.4f} at the share {best['share']:g}, "
        f"{duration(result['seconds']['total'])}. Results: {folder.path}. {report}{told}"
    )


def _point(place: Path, share: float, table: LatencyTable | None) -> dict[str, Any]:
    """What a finished search says of itself."""
    result = run_record.read_json(place / run_record.RESULT)
    point = {"share": share, "accuracy": result["test"]["accuracy"], "parameters": result["parameters"]}
    point |= {**result["costs"], "seconds": result["seconds"]["total"], "folder": f"{POINTS}/{place.name}"}
    if table is not None and "predicted_ms" not in point:
        with contextlib.suppress(ValueError):  # a table that was given need not know all parts if it binds nothing
            point["predicted_ms"] = table.predict(keras.models.load_model(place / run_record.MODEL, compile=False))
    return {**point, "decisions": run_record.read_json(place / run_record.DECISIONS)}


def _csv(points: Sequence[dict[str, Any]]) -> str:
    """A line a point; decisions stand behind the figures, a column a choice."""
    names = list(dict.fromkeys(name for point in points for name in point["decisions"]))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*_IN_CSV, *names])
    for point in points:
        figures = [point.get(name, "") for name in _IN_CSV]
        rows.writerow([*figures, *(" ".join(point["decisions"].get(name, ())) for name in names)])
    return text.getvalue()
