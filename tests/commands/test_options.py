import pytest

from keras_dha import recipes
from keras_dha.cli import parser
from keras_dha.commands import SPACES, SearchOptions, defaults_for
from keras_dha.commands.defaults import RECIPES
from keras_dha.commands.search import _with_defaults


def test_all_recipes_are_named():
    assert sorted(RECIPES) == sorted(recipes.RECIPES), "A file of keras_dha/recipes is a recipe of its name."


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
    assert SearchOptions(data="npz:a.npz").with_absolute_data().data == f"npz:{tmp_path}/a.npz"
    assert SearchOptions(data="digits").with_absolute_data().data == "digits"
    assert SearchOptions(data="tfds:mnist").with_absolute_data().data == "tfds:mnist"


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
    options = _with_defaults(SearchOptions(data="digits"), source).to_dict()
    assert [name for name, value in options.items() if value is None] == ["time_budget"]
