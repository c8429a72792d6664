import pytest

from keras_dha import recipes
from keras_dha.cli import parser
from keras_dha.commands import SPACES, SearchOptions, defaults_for
from keras_dha.commands.defaults import RECIPES
from keras_dha.commands.search import make_model, with_defaults


def test_all_recipes_are_named():
    assert sorted(RECIPES) == sorted([*recipes.RECIPES, "single_path"]), (
        "A file of keras_dha/recipes is a recipe of its name."
    )


@pytest.mark.parametrize("text", [*RECIPES, "default: 16", "default: 5 in darts, 1 a stage in nas_bench_201"])
def test_help_names_recipes_and_defaults(text, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["search", "--help"])
    assert text in " ".join(capsys.readouterr().out.split())


def test_what_the_user_gave_goes_before_defaults():
    options = SearchOptions(epochs=3).filled({"epochs": 60, "seed": 0, "unknown": 1})
    assert (options.epochs, options.seed) == (3, 0)


def test_a_flip_that_is_switched_off_stays_off():
    assert SearchOptions(flip=False).filled({"flip": True}).flip is False


def test_file_names_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert SearchOptions(data="npz:a.npz").with_absolute_paths().data == f"npz:{tmp_path}/a.npz"
    assert SearchOptions(data="digits").with_absolute_paths().data == "digits"
    assert SearchOptions(data="tfds:mnist").with_absolute_paths().data == "tfds:mnist"


def test_the_command_starts_the_same_search():
    options = SearchOptions(data="npz:/a b.npz", epochs=3, time_budget=1.5, flip=False, space="darts")
    command = options.command("runs/x y")
    assert "'npz:/a b.npz'" in command
    import shlex

    given = vars(parser().parse_args(shlex.split(command)[1:]))
    assert SearchOptions(**{name: given[name] for name in options.to_dict()}) == options


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("side", "examples"), [(8, 1438), (28, 6_000), (32, 50_000), (224, 1_000), (500, 10**6)])
def test_there_are_defaults_for_all_sizes(space, side, examples):
    defaults = defaults_for((side, side, 3), examples, space)
    assert set(defaults) == {"channels", "cells", "epochs", "batch_size"}
    assert all(isinstance(value, int) and value > 0 for value in defaults.values())


def test_the_default_batch_is_no_more_than_a_quarter_of_the_data():
    assert defaults_for((8, 8, 1), 20)["batch_size"] == 5
    assert defaults_for((8, 8, 1), 2)["batch_size"] == 1


def test_defaults_fill_every_option_but_the_time(source):
    options = with_defaults(SearchOptions(data="digits"), source).to_dict()
    empty = [name for name, value in options.items() if value is None]
    assert empty == [
        "time_budget",
        *(name for name in options if name.startswith("max_")),
        "table",
        "strategy",
        "workers",
        "dtype",
        "keep_checkpoints",
    ]


@pytest.mark.parametrize(
    ("given", "space", "recipe"),
    [
        ({}, "nas_bench_201", "dha"),
        ({"space": "darts"}, "darts", "dha"),
        ({"space": "mobile_net"}, "mobile_net", "single_path"),
        ({"recipe": "single_path"}, "mobile_net", "single_path"),
        ({"max_parameters": 0.5}, "mobile_net", "single_path"),
        ({"space": "darts", "recipe": "gdas"}, "darts", "gdas"),
    ],
)
def test_bounds_and_spaces_of_sizes_go_with_single_path(source, given, space, recipe):
    options = with_defaults(SearchOptions(data="digits", **given), source)
    assert (options.space, options.recipe) == (space, recipe)


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ({"recipe": "dha", "max_parameters": 0.5}, r"Received: --recipe dha, \{'max_parameters': 0.5\}"),
        ({"max_latency_ms": 1.0}, "Received: --max-latency-ms 1.0, --table None"),
        ({"recipe": "single_path", "table": "t.json"}, "Received: --max-latency-ms None, --table t.json"),
        ({"recipe": "nope"}, "Received: --recipe nope"),
    ],
)
def test_bounds_that_do_not_fit_are_bad_input(source, given, received):
    options = SearchOptions(data="digits", space="mobile_net", channels=2, cells=1)
    with pytest.raises(ValueError, match=received):
        make_model(options.filled(given).filled({"recipe": "single_path"}), source)


def test_a_bound_reaches_the_penalty(source):
    options = SearchOptions(space="mobile_net", recipe="single_path", channels=2, cells=1, seed=0, max_parameters=0.5)
    (penalty,) = make_model(options, source).recipe.penalties
    assert penalty.bounds["parameters"] == 0.5
