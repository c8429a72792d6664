"""The page of an evaluation: is a search better than chance, and what belongs to the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_dha.reports import figure as figures
from keras_dha.reports.html_parts import columns, document, duration, picture, section, table

Study = Mapping[str, Any]
_WAYS = ("ready", "fine_tuned", "retrained")


@figures.in_report_style
def accuracy_boxes(study: Study) -> Any:
    """Test accuracies as boxes with all points: random architectures, and of each recipe ready, fine-tuned, retrained.

    Args:
        study: One of `studies` of `result.json`.
    """
    groups = [("random", study["random"]["accuracies"], figures.FAINT)]
    for recipe, found in study["recipes"].items():
        colours = (figures.HELD_OUT, figures.VALIDATION, figures.TRAIN)
        labels = [f"{recipe}\n{way.replace('_', '-')}" for way in _WAYS]
        groups += [(label, found[way]["accuracies"], c) for label, way, c in zip(labels, _WAYS, colours)]
    figure, axis = figures.new_figure(max(5.0, 1.05 * len(groups)), 3.6)
    for place, (_, values, colour) in enumerate(groups):
        axis.boxplot(
            [values],
            positions=[place],
            widths=0.5,
            showfliers=False,
            boxprops={"color": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            medianprops={"color": colour},
        )
        axis.plot([place] * len(values), values, "o", color=colour, alpha=0.6, markersize=4)
    axis.axhline(study["random"]["mean"], color=figures.FAINT, linewidth=0.8, linestyle="--")
    axis.set_xticks(range(len(groups)), [label for label, _, _ in groups])
    axis.set_title("Test accuracy; dashed: mean of the random architectures")
    return figure


@figures.in_report_style
def random_search_curve(study: Study) -> Any:
    """What random search is worth by its number of trials, beside what recipes handed over.

    Args:
        study: One of `studies` of `result.json`.
    """
    curve = study["random_search"]
    figure, axis = figures.new_figure(5.4, 3.2)
    axis.plot(range(1, len(curve) + 1), curve, marker="o", color=figures.FAINT, label="random search")
    colours = (figures.TRAIN, figures.HELD_OUT, figures.VALIDATION)
    for i, (recipe, found) in enumerate(study["recipes"].items()):
        axis.axhline(found["ready"]["mean"], color=colours[i % 3], label=f"{recipe}, ready", linewidth=1.2)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel("trainings of random search; a search in one fit is one")
    axis.set_title("Test accuracy")
    axis.legend(fontsize=8)
    return figure


def render_evaluation(result: Mapping[str, Any]) -> str:
    """The page.

    Args:
        result: What `result.json` of `keras-dha evaluate` holds.

    Raises:
        ReportUnavailableError: If matplotlib is not installed.
    """
    figures.import_matplotlib()
    studies = list(result.get("studies", ()))
    tiles = [("study" if len(studies) == 1 else "studies", str(len(studies)))]
    tiles += [("wall time", duration(result.get("seconds", {}).get("total", 0.0)))]
    tiles += [("random architectures of each", str(min((study["num_random"] for study in studies), default=0)))]
    sections = [section(_title(study), _study(study)) for study in studies]
    how = [("Versions", ", ".join(f"{name} {version}" for name, version in result.get("versions", {}).items()))]
    how = [("Command", str(result.get("command", ""))), *how, ("Ended", str(result.get("ended", "unknown")))]
    sections += [section("Best practices", _practices(result.get("practices", ())))]
    sections += [section("How it was made", table(how))]
    return document("Is it better than chance? An evaluation by keras_dha", tiles, sections)


def _title(study: Study) -> str:
    return f"{study['space']} on {study['data'].replace('<', '&lt;')}"


def _study(study: Study) -> str:
    protocol = study["protocol"]
    tricks = "with" if protocol["tricks"] else "without"
    note = (
        f"<p>All but <i>ready</i> and <i>fine-tuned</i> are trained from scratch for {protocol['epochs']} epochs as "
        f"{protocol['recipe']} trains, {tricks} its augmentation and learned hyper-parameters, batches of "
        f"{protocol['batch_size']}, training seed {protocol['seed']}. Accuracies are the last epoch's; the best epoch "
        f"on the validation part is {100 * study['training']['best_minus_last']:.2f} points above it on average.</p>"
    )
    return (
        picture(accuracy_boxes(study), "Test accuracies of random and searched architectures")
        + note
        + _recipes(study)
        + picture(random_search_curve(study), "Test accuracy of random search by trials")
        + _others(study)
    )


def _recipes(study: Study) -> str:
    headings = ["", "RI over mean", "95 %", "RI over median", "retrained", "ready", "fine-tuned", "ready - random"]
    headings += ["supernet tau", "time of a search", "of a random one"]
    rows = [["random", "", "", "", _group(study["random"]), *[""] * 6]]
    for recipe, found in study["recipes"].items():
        ri = found["improvement"]
        taus = [f"{tau:.2f}" for tau in found["supernet_tau"] if tau is not None]
        row = [recipe, f"{ri['against_mean']:+.2f} %", f"{ri['interval'][0]:+.2f} to {ri['interval'][1]:+.2f}"]
        row += [f"{ri['against_median']:+.2f} %", *(_group(found[way]) for way in ("retrained", "ready", "fine_tuned"))]
        row += [f"{found['ready_minus_random']:+.2f}", ", ".join(taus) or "no order"]
        rows.append([*row, duration(found["seconds"]), duration(found["random_seconds"])])
    note = (
        "<p>RI: 100 (mean of the searched - of the random ones) / that of the random ones, trained by one protocol; in "
        "brackets the 95 % interval of the bootstrap. Supernet tau: how the weights of the supernet rank the random "
        "architectures, beside their own trainings; one number a search.</p>"
    )
    return columns(headings, rows) + note


def _others(study: Study) -> str:
    rows = []
    for recipe, ri in study.get("plain", {}).get("improvement", {}).items():
        random = study["plain"]["random"]
        rows.append((f"{recipe} without tricks", f"RI {ri['against_mean']:+.2f} %, random {_group(random)}"))
    pairs = {"another training seed": study["again"]} if "again" in study else {}
    pairs |= {size.replace("_", " "): found for size, found in study.get("size", {}).items()}
    for name, found in pairs.items():
        text = f"random {_group(found['group'])}"
        if "tau" in found:
            tau = "no order" if found["tau"] is None else f"{found['tau']:.2f}"
            change, most = 100 * found["mean_change"], 100 * found["largest_change"]
            text += f"; Kendall's tau with the first {tau}, mean change {change:.2f} points, at most {most:.2f}"
        rows.append((name, text))
    return table(rows) if rows else ""


def _practices(practices: Sequence[Mapping[str, Any]]) -> str:
    words = {True: "yes", False: "no", None: "not known"}
    rows = [[item["text"], words[item["kept"]], item["evidence"]] for item in practices]
    return columns(["practice", "kept", "evidence"], rows) if rows else ""


def _group(group: Mapping[str, Any]) -> str:
    return f"{100 * group['mean']:.2f} ± {100 * group['deviation']:.2f}"
