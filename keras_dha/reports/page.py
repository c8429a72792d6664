"""The report: one HTML file with everything inside."""

import html
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_dha.diagnostics import NONE_WORDS, SKIP_WORDS, mean_normalized_entropy, operation_counts, share_of
from keras_dha.reports.architecture import architecture_figure
from keras_dha.reports.curves import entropy_curves, learning_curves, rate_curves
from keras_dha.reports.evaluation import render_evaluation
from keras_dha.reports.figure import image_tag, import_matplotlib
from keras_dha.reports.html_parts import document, duration, number, picture, section, table
from keras_dha.reports.pareto import render_pareto
from keras_dha.reports.policy import policy_maps, top_pairs
from keras_dha.reports.probabilities import is_width, names_kept, probability_bars
from keras_dha.reports.run_record import REPORT, RESULT, RunRecord, read_json
from keras_dha.reports.samples import contact_sheet
from keras_dha.write_file import write_text


def write_report(folder: str | os.PathLike[str], result: dict[str, Any] | None = None) -> str:
    """Writes `report.html` into the folder of a search, a Pareto set or an evaluation, whole or not at all.

    Args:
        folder: What was given as `--out`.
        result: Used instead of `result.json`.

    Returns:
        The path of the report.

    Raises:
        ReportUnavailableError: If matplotlib is not installed.
        ValueError: If the folder holds no finished run, or its files hold something else.
    """
    target = os.path.join(folder, REPORT)
    found = read_json(Path(folder) / RESULT) if result is None else result
    try:
        page = _page_of(folder, found)
    except (TypeError, AttributeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError(
            f"The files of a run must be as keras-dha wrote them. Received: {folder}, where something else stands "
            f"({type(error).__name__}: {error}). Take them from a copy, or search again."
        ) from error
    write_text(target, page)
    return target


def _page_of(folder: str | os.PathLike[str], result: dict[str, Any]) -> str:
    if "points" in result:
        return render_pareto(result)
    return render_evaluation(result) if "studies" in result else render(RunRecord.load(folder, result))


def render(record: RunRecord) -> str:
    """The whole page.

    Raises:
        ReportUnavailableError: If matplotlib is not installed.
    """
    import_matplotlib()
    result = record.result
    title = f"{result.get('data', {}).get('name', 'run')}: search with keras_dha"
    sections = [
        section("Summary", _summary(record)),
        section("Architecture", _architecture(record)),
        section("How sure the search was", _probabilities(record)),
        section("Learning curves", picture(learning_curves(record.history), "Loss and accuracy over the epochs")),
        section(
            "Learned hyper-parameters", picture(rate_curves(record.history), "Learning rate and decay over the epochs")
        ),
        section("Augmentation policy", _policy(record)),
        section("Augmented samples", _samples(record)),
        section("How it was made", _provenance(result)),
    ]
    return document(title, _tiles(result), sections)


def _tiles(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    test, parameters = result.get("test", {}), result.get("parameters")
    return [
        ("test accuracy", f"{100 * test['accuracy']:.2f} %" if "accuracy" in test else "not measured"),
        ("parameters", "unknown" if parameters is None else f"{parameters:,}"),
        ("wall time", duration(result.get("seconds", {}).get("total", 0.0))),
        ("seed", str(result.get("seed"))),
    ]


def _summary(record: RunRecord) -> str:
    result, data, arguments = record.result, record.result.get("data", {}), record.result.get("arguments", {})
    epochs, test = result.get("epochs", {}), result.get("test", {})
    train_examples, test_examples = data.get("train_examples", 0), data.get("test_examples", 0)
    shape = " x ".join(map(str, data.get("shape", [])))
    named = {name: p for name, p in record.probabilities.items() if not is_width(record.decisions.get(name, ()))}
    entropy = mean_normalized_entropy(named)
    rows = [
        ("Data", f"{train_examples:,} examples for search and training, {test_examples:,} for the test"),
        ("Images, classes", f"{shape}, {data.get('classes', '?')} classes"),
        ("Space, recipe", f"{arguments.get('space', '?')}, {arguments.get('recipe', '?')}"),
        ("Epochs", f"{epochs.get('search', 0)} of search, {epochs.get('settle', 0)} of settling"),
        ("Test loss", number(test.get("loss"))),
        ("Costs", _costs(result.get("costs", {}))),
        *_operations(record.decisions),
        ("Entropy of the decisions", f"{entropy:.3f} at the end (1: undecided, 0: decided)"),
    ]
    learned = result.get("hyperparameters", {})
    rows += [(name.replace("_", " ").capitalize(), number(value)) for name, value in learned.items()]
    rows += [("Seconds", ", ".join(f"{name} {value:.1f}" for name, value in result.get("seconds", {}).items()))]
    return table(rows)


def _operations(decisions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How often each is kept; nothing where options are sizes, which say little without their layers."""
    counts = operation_counts(decisions)
    if counts and all(name.isdigit() for name in counts):
        return []
    skip, none = (100 * share_of(decisions, words) for words in (SKIP_WORDS, NONE_WORDS))
    text = ", ".join(f"{count} x {name}" for name, count in counts.items())
    return [
        ("Kept operations", text or "none was chosen"),
        ("Skip, none", f"{skip:.0f} % skip connections, {none:.0f} % none"),
    ]


def _costs(costs: Mapping[str, Any]) -> str:
    texts = {
        "multiply_adds": "{:,} multiply-adds",
        "model_bytes": "{:,} bytes of weights",
        "predicted_ms": "{:.4g} ms by the table",
    }
    return ", ".join(text.format(costs[name]) for name, text in texts.items() if name in costs) or "not counted"


def _architecture(record: RunRecord) -> str:
    figure = architecture_figure(record.decisions)
    if figure is not None:
        note = "<p>All cells of a kind have the same operations. Dashed arcs carry nothing.</p>"
        return image_tag(figure, "The operations of each cell") + note
    options = record.probabilities
    rows = ((name, names_kept(kept, options.get(name, ()))) for name, kept in record.decisions.items())
    return table(rows) if record.decisions else ""


def _probabilities(record: RunRecord) -> str:
    bars = probability_bars(record.probabilities, record.decisions)
    if not bars:
        return ""
    note = "<p>Probability of each option at the end of the search. Coloured: kept. H: entropy, 1 is undecided.</p>"
    return note + picture(entropy_curves(record.history), "Entropy over the epochs") + bars


def _policy(record: RunRecord) -> str:
    figure = policy_maps(record.policy_before, record.policy_after)
    if figure is None:
        return ""
    pairs = top_pairs(record.policy_after)
    rows = [(f"{first}, then {second}", f"{probability:.4f}") for first, second, probability in pairs]
    note = "<p>Each image is changed by one operation, then by a second. The most probable pairs at the end:</p>"
    return image_tag(figure, "Probability of each pair of operations") + note + table(rows)


def _samples(record: RunRecord) -> str:
    figure = contact_sheet(record.samples)
    if figure is None:
        return ""
    return image_tag(figure, "Training images and augmented versions") + (
        "<p>Training images, and what the policy of the end makes of them.</p>"
    )


def _provenance(result: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result.get("versions", {}).items())
    command = html.escape(str(result.get("command", "")))
    return f"<pre>{command}</pre>{table([('Versions', versions), ('Ended', str(result.get('ended', 'unknown')))])}"
