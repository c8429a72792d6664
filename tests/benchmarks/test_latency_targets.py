import argparse
import importlib
import sys
from typing import Any

import keras
import numpy as np
import pytest
from source_files import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
latency_targets = importlib.import_module("latency_targets")


def test_moved_pictures_are_shifted_by_whole_pixels_or_mirrored_too() -> None:
    size, shift = 8, latency_targets.SHIFT
    picture = np.random.default_rng(0).normal(size=(size, size, 2)).astype("float32")
    possible = []
    for whole in (picture, picture[:, ::-1]):
        padded = np.pad(whole, ((shift, shift), (shift, shift), (0, 0)), "reflect")
        shifts = range(2 * shift + 1)
        possible += [padded[up : up + size, left : left + size] for up in shifts for left in shifts]
    keras.utils.set_random_seed(0)
    found = latency_targets.moved(np.repeat(picture[None], 500, axis=0)).numpy()
    seen = set()
    for one in found:
        same = [number for number, other in enumerate(possible) if np.array_equal(one, other)]
        assert len(same) == 1
        seen.update(same)
    assert len(seen) > 0.95 * len(possible)  # each is left out with a probability of (1 - 1/98) ** 500 = 0.006


@pytest.mark.parametrize("fraction", [None, 0.25, 0.6])
def test_a_search_of_another_length_keeps_the_rest_of_the_recipe(fraction: float | None) -> None:
    def recipe_of(value: float | None) -> Any:
        return latency_targets.recipe_of(argparse.Namespace(keep_rate=None, search_fraction=value))

    own, other = recipe_of(None).schedule.get_config(), recipe_of(fraction).schedule.get_config()
    if fraction is None:
        assert other == own
        return
    share = own["warmup_fraction"] / own["search_fraction"]
    expected = {"search_fraction": fraction, "warmup_fraction": pytest.approx(share * fraction)}
    assert other == own | expected | {"anneal_from": max(fraction, own["anneal_from"])}


@pytest.mark.parametrize("name", list(latency_targets.SPACES))
def test_scaled_networks_have_the_named_space_at_one(name: str) -> None:
    whole = latency_targets.space_of((32, 32, 3), name)
    half = latency_targets.space_of((32, 32, 3), name, 0.5)
    channels = [round(space.channels * width) for space in (whole, half) for width in space.widths]
    base = latency_targets.SPACES[name]["channels"]
    assert channels == [round(base * width * factor) for factor in (1.0, 0.5) for width in latency_targets.WIDTHS]
    assert [choice.name for choice in whole.choices()] == [choice.name for choice in half.choices()]


def test_how_much_networks_and_seeds_of_one_differ() -> None:
    rows = [
        {"data": "d", "share": 0.4, "draw": draw, "accuracy": (mean + seed) / 100}
        for draw, mean in enumerate((50.0, 54.0))
        for seed in (-1.0, 1.0)
    ]
    # seeds: variance 2; means: variance 8, of which seeds explain 2 / 2
    found = latency_targets.table_of_draws(rows)
    assert found == f"d 0.4: means 50.00, 54.00; deviation of networks {7**0.5:.2f}, of seeds {2**0.5:.2f}"
