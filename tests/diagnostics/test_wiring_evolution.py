"""The callback, on a real search of a second or two."""

import numpy as np
from tiny_space import TinySpace, images

import keras_dha
from keras_dha import SearchModel
from keras_dha.diagnostics import WiringEvolution
from keras_dha.relaxations import Softmax

X, Y = images()


def test_it_records_every_epoch_of_the_search_and_leaves_the_model_alone() -> None:
    histories = []
    watch, said = WiringEvolution((X[:20], Y[:20]), (X[20:40], Y[20:40]), warn=lambda alert: said.append(alert)), []
    for callbacks in ([], [watch]):
        model = SearchModel(TinySpace(), keras_dha.recipes.darts(), relaxation=Softmax(), seed=0)
        histories.append(model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=callbacks).history)
    assert histories[0] == histories[1]
    assert [record["epoch"] for record in watch.records] == [0, 1]
    last = watch.records[-1]
    assert set(last["edges"]) == {"edge", "node/0", "node/1"}
    assert last["edges"]["edge"]["divergence"] > 0
    assert last["edges"]["edge"]["none"] == 0.0
    for part in ("training", "held_out"):
        assert set(last[part]["costs"]["edge"]) == {"conv", "point", "skip"}
        assert np.isfinite(last[part]["gap"])
        assert last[part]["num_correct"] + last[part]["num_wrong"] == 20
    assert list(watch.alerts) == said


def test_it_warns_of_a_cell_of_skip_connections_that_a_search_hardly_chose() -> None:
    model = SearchModel(TinySpace(), keras_dha.recipes.darts(), relaxation=Softmax(), seed=0)
    for part in model.choice_relaxations:
        is_skip = np.array([option.endswith("skip") for option in part.choice.options])
        part.logits.assign(0.02 * is_skip)  # a little ahead of the others
    model.compile(architecture_optimizer="sgd")
    model.architecture_optimizer.learning_rate.assign(0.0)
    watch = WiringEvolution((X[:20], Y[:20]))
    model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=[watch])
    assert [record["epoch"] for record in watch.records] == [0, 1]
    assert [alert[:47] for alert in watch.alerts] == ["The search keeps a skip connection in 2 of 2 pl"]
    assert set(watch.alerts.values()) == {2}
