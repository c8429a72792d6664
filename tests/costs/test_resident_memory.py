from pathlib import Path

import numpy as np
import pytest

from keras_dha.costs import peak_resident_bytes, resident_bytes, resident_memory

MIB = 2**20


def test_an_array_is_held_and_given_back_and_the_peak_stays() -> None:
    before = resident_bytes()
    array = np.ones(64 * MIB, dtype="uint8")
    held = resident_bytes()
    assert held - before > 60 * MIB
    assert peak_resident_bytes() >= held - MIB
    del array
    assert resident_bytes() < held - 32 * MIB
    assert peak_resident_bytes() >= held - MIB


def test_elsewhere_than_on_linux_the_peak_is_what_the_system_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = peak_resident_bytes()
    monkeypatch.setattr(resident_memory, "_STATUS", tmp_path / "missing")
    assert peak_resident_bytes() == pytest.approx(known, rel=0.5)
    assert resident_bytes() == peak_resident_bytes()
