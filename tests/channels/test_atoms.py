import numpy as np
import pytest

from keras_dha.channels.atoms import Atoms


def test_new_numbers_are_tied_to_nothing() -> None:
    atoms = Atoms()
    assert atoms.new(2).tolist() == [0, 1]
    assert atoms.new(3).tolist() == [2, 3, 4]
    assert atoms.new(0).shape == (0,)
    assert atoms.roots(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert not atoms.fixed(np.arange(5)).any()


def test_ties_go_pair_by_pair_and_on_and_on() -> None:
    atoms = Atoms()
    a, b, c = atoms.new(2), atoms.new(2), atoms.new(2)
    atoms.tie(b, c)
    assert atoms.roots(np.concatenate([a, b, c])).tolist() == [0, 1, 2, 3, 2, 3]
    atoms.tie(c[::-1], a)
    assert atoms.roots(np.concatenate([a, b, c])).tolist() == [0, 1, 1, 0, 1, 0]


def test_channels_can_be_tied_to_themselves_and_to_each_other() -> None:
    atoms = Atoms()
    a = atoms.new(3)
    atoms.tie(a, a)
    assert atoms.roots(a).tolist() == [0, 1, 2]
    atoms.tie(a, np.roll(a, 1))
    assert atoms.roots(a).tolist() == [0, 0, 0]


@pytest.mark.parametrize("first", ["fix", "tie"])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_tied_to_a_fixed_channel_is_fixed(first: str, which: int) -> None:
    atoms = Atoms()
    pair = [atoms.new(2), atoms.new(2)]
    if first == "tie":
        atoms.tie(*pair)
    atoms.fix(pair[which][:1])
    if first == "fix":
        atoms.tie(*pair)
    assert [atoms.fixed(numbers).tolist() for numbers in pair] == [[True, False], [True, False]]


def test_numbers_can_be_new_and_fixed() -> None:
    atoms = Atoms()
    a, b, c = atoms.new(1), atoms.new(1, fixed=True), atoms.new(1)
    atoms.tie(b, c)
    assert [bool(atoms.fixed(numbers)[0]) for numbers in (a, b, c)] == [False, True, True]
    atoms.tie(a, c)
    assert atoms.fixed(a).tolist() == [True]


def test_ties_are_of_as_many() -> None:
    atoms = Atoms()
    with pytest.raises(ValueError, match="shorter"):
        atoms.tie(atoms.new(2), atoms.new(1))
