"""From the runs of a study to the figures of its report."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_dha.evaluation.ranks import kendall_tau, random_search, repeated_training
from keras_dha.evaluation.relative_improvement import Group, relative_improvement

Run = Mapping[str, Any]
_ORDERED = 3  # networks at least, of which an order says something


def summary_of(found: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """What a study says, as plain data. All accuracies are of the last epoch, on the test part, but where it says else.

    Args:
        found: What `SearchStudy.run` returns.

    Returns:
        - `random`: the group of random architectures, trained from scratch;
        - `recipes`: for each the groups `ready`, `fine_tuned` and `retrained`, the relative improvement of the
          retrained ones, `ready_minus_random` in points, the seconds of a search and of a random architecture, and for
          each search the rank correlation `supernet_tau` between the accuracies of the random architectures with the
          weights of its supernet and trained alone, both on the validation part;
        - `random_search`: what the best by validation accuracy of 1, 2, ... of them is worth, on average;
        - `training`: by how much the best epoch on the validation part is above the last one, on average;
        - `plain`, `again` and `size` if there are such runs: relative improvements without the protocol's tricks;
          random architectures with another training seed; and by size their group and how it ranks them.
    """
    chance = found["random"]
    random = _group("random", chance)
    recipes = list(dict.fromkeys(run["recipe"] for run in found["search"]))
    summary: dict[str, Any] = {
        "random": random.to_dict(),
        "recipes": {recipe: _of_recipe(recipe, found, random) for recipe in recipes},
        "random_search": random_search(_tested(chance, "validation"), _tested(chance)),
        "training": {
            "best_minus_last": statistics.fmean(run["epoch"]["best"] - run["epoch"]["last"] for run in chance)
        },
    }
    if found.get("plain"):
        summary["plain"] = _plain(found["plain"])
    if found.get("again"):
        summary["again"] = _paired(chance, found["again"])
    if found.get("size"):
        sizes = list(dict.fromkeys(run["size"] for run in found["size"]))
        of_size = {size: [run for run in found["size"] if run["size"] == size] for size in sizes}
        summary["size"] = {size: _paired(chance, runs) for size, runs in of_size.items()}
    return summary


def _of_recipe(recipe: str, found: Mapping[str, Sequence[Run]], random: Group) -> dict[str, Any]:
    searches = [run for run in found["search"] if run["recipe"] == recipe]
    retrained = _group("retrained", [run for run in found["retrained"] if run["recipe"] == recipe])
    ready = Group("ready", _tested(searches))
    return {
        "ready": ready.to_dict(),
        "fine_tuned": Group("fine_tuned", [run["fine_tuned"]["test"] for run in searches]).to_dict(),
        "retrained": retrained.to_dict(),
        "improvement": relative_improvement(retrained, random).to_dict(),
        "ready_minus_random": 100.0 * (ready.mean - random.mean),
        "seconds": statistics.median(run["seconds"] for run in searches),
        "random_seconds": statistics.median(run["seconds"] for run in found["random"]),
        "supernet_tau": [_supernet_tau(run, found["random"]) for run in searches],
    }


def _supernet_tau(search: Run, chance: Sequence[Run]) -> float | None:
    inherited = [search["supernet"][run["name"]] for run in chance]
    return _or_none(kendall_tau(inherited, _tested(chance, "validation")))


def _plain(runs: Sequence[Run]) -> dict[str, Any]:
    random = _group("random", [run for run in runs if "recipe" not in run])
    recipes = list(dict.fromkeys(run["recipe"] for run in runs if "recipe" in run))
    found = {recipe: _group(recipe, [run for run in runs if run.get("recipe") == recipe]) for recipe in recipes}
    improvements = {recipe: relative_improvement(group, random).to_dict() for recipe, group in found.items()}
    return {"random": random.to_dict(), "improvement": improvements}


def _paired(chance: Sequence[Run], others: Sequence[Run]) -> dict[str, Any]:
    """Other trainings of random architectures beside the first ones, by their order."""
    first = list(chance)[: len(others)]
    pairs = repeated_training(_tested(first), _tested(others)).to_dict() if len(others) >= _ORDERED else {}
    pairs = {name: _or_none(value) for name, value in pairs.items()}
    return {"group": Group("others", _tested(others)).to_dict(), **pairs}


def _group(name: str, runs: Sequence[Run]) -> Group:
    protocols = [run["protocol"] for run in runs]
    if any(protocol != protocols[0] for protocol in protocols):
        raise ValueError(
            f"All runs of a group must have one protocol. Received: {protocols} in the group {name!r}. Make them anew, "
            "in a new folder."
        )
    return Group(name, _tested(runs), protocols[0] if protocols else None)


def _tested(runs: Sequence[Run], part: str = "test") -> list[float]:
    return [float(run[part]) for run in runs]


def _or_none(value: float) -> float | None:
    """Not a number is no JSON."""
    return None if value != value else value
