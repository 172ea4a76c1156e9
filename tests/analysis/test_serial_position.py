"""Accuracy by serial position."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.serial_position import serial_position
from throughtime.analysis.fits import fit


def _remembered(num_trials, rng):
    """Sequences of three to five items: the first right with 0.9, the last with 0.8, the others with 0.5."""
    length = rng.integers(3, 6, num_trials)
    rank = np.arange(1, 6)
    p = np.where(rank == 1, 0.9, np.where(rank == length[:, None], 0.8, 0.5))
    return length, (rng.random((num_trials, 5)) < p).astype(float)


def test_recovers_primacy_and_recency_and_rejects_shuffled_ranks():
    rng = np.random.default_rng(0)
    length, items = _remembered(6000, rng)
    found = serial_position(length, items)
    assert (found.primacy, found.recency) == pytest.approx((0.4, 0.3), abs=0.03)
    np.testing.assert_array_equal(found.length, [3, 4, 5])
    np.testing.assert_array_equal(found.position, [1, 2, 3, 4, 5])
    np.testing.assert_allclose(found.fraction_correct[1], [0.9, 0.5, 0.5, 0.8, np.nan], atol=0.04)
    assert np.isnan(found.fraction_correct[0, 3:]).all()
    assert np.isnan(found.lower[0, 3:]).all()
    np.testing.assert_allclose(found.whole, [0.36, 0.18, 0.09], atol=0.03)
    assert found.num_trials.sum() == 6000
    there = np.arange(5) < length[:, None]
    assert found.overall == pytest.approx(items[there].mean())
    assert ((found.lower < found.fraction_correct) | np.isnan(found.lower)).all()
    for row, num in zip(items, length, strict=True):
        row[:num] = rng.permutation(row[:num])
    shuffled = serial_position(length, items)
    assert max(abs(shuffled.primacy), abs(shuffled.recency)) < 0.05


def test_sequences_of_two_have_no_middle():
    found = serial_position([2, 2], [[1, 0], [1, 1]])
    assert np.isnan([found.primacy, found.recency]).all()
    assert (found.overall, found.worst) == (0.75, 0.5)


def test_datasets_are_the_array_function_seed_by_seed():
    rng = np.random.default_rng(1)
    length, items = _remembered(120, rng)
    rows = length.reshape(2, 60), items.reshape(2, 60, 5)
    named = {
        f"item_{rank + 1}": xr.DataArray(rows[1][..., rank], dims=("seed", "trial")) for rank in range(5)
    }
    found = analysis.serial_position(xr.DataArray(rows[0], dims=("seed", "trial")), **named)
    one = serial_position(rows[0][1], rows[1][1])
    np.testing.assert_allclose(found.fraction_correct[1], one.fraction_correct)
    assert found.fraction_correct.dims == ("seed", "condition", "rank")
    assert float(found.recency[1]) == pytest.approx(one.recency)
    with pytest.raises(ValueError, match="one array a rank, item_1, item_2, …; found item_2"):
        analysis.serial_position(xr.DataArray(rows[0]), item_2=named["item_2"])


def test_a_signature_names_the_ranks_without_gaps():
    length, items = _remembered(50, np.random.default_rng(2))
    given = {f"item_{rank + 1}": items[:, rank] for rank in range(5)}

    def declared(*names):
        return SimpleNamespace(fit="serial_position", variables=tuple((name, name) for name in names))

    found = fit(declared("length", *given), given, {"length": length})
    assert found["overall"] == serial_position(length, items).overall
    for names in (("length",), ("length", "item_2"), ("length", "item_1", "item_3"), ("item_1",)):
        with pytest.raises(ValueError, match=r"'serial_position' takes length, item_\*; found"):
            fit(declared(*names), given, {"length": length})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([], np.zeros((0, 3))), "length: 0 trials; pass at least 1"),
        (([1, 2], np.zeros((3, 2))), "unequal lengths: length 2, items 3"),
        (([1, 2], np.zeros(2)), r"items: expected \(trial, rank\), got shape \(2,\)"),
        (([1, 4], np.zeros((2, 3))), "length: expected whole numbers from 1 to 3"),
        (([1.5, 2], np.zeros((2, 3))), "length: expected whole numbers from 1 to 3"),
        (([1, 2], np.full((2, 3), 0.5)), "items: expected 0 and 1"),
    ],
)
def test_refusals(given, message):
    with pytest.raises(ValueError, match=message):
        serial_position(*given)
