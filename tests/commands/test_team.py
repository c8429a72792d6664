import pytest
import tensorflow as tf

from keras_dha.commands import CommandError, SearchOptions
from keras_dha.commands.search import search
from keras_dha.commands.team import Team, is_worker


def test_one_process_is_its_own_chief():
    team = Team(None)
    assert team.is_chief
    assert team.strategy is tf.distribute.get_strategy()
    team.agree("a search")
    team.wait()


def test_mirrored_takes_what_this_machine_has():
    team = Team("mirrored")
    assert team.is_chief
    assert isinstance(team.strategy, tf.distribute.MirroredStrategy)


def test_without_a_tpu_tpu_is_refused(monkeypatch):
    def connect():
        raise ValueError("Please provide a TPU Name to connect to.")

    monkeypatch.setattr(tf.distribute.cluster_resolver.TPUClusterResolver, "connect", connect)
    with pytest.raises(CommandError, match=r"must find a TPU. Received: Please provide a TPU Name.*2.19.1"):
        Team("tpu")


@pytest.mark.parametrize(
    ("config", "expected"),
    [(None, False), ("", False), ("{}", False), ('{"cluster": {"worker": ["a:1"]}, "task": {"index": 0}}', True)],
)
def test_workers_are_told_by_the_environment(config, expected, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    assert is_worker() is expected


@pytest.mark.parametrize("config", ["{", "[]", "3"])
def test_a_wrong_environment_is_refused(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(CommandError, match="TF_CONFIG must be JSON"):
        is_worker()


@pytest.mark.parametrize("strategy", [None, "mirrored", "tpu"])
def test_a_number_of_workers_goes_with_its_strategy(strategy, tmp_path):
    with pytest.raises(CommandError, match="--workers must go with --strategy multiworker"):
        search(SearchOptions(data="digits", strategy=strategy, workers=2), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
