"""Criteria: what counts, and what is never met."""

from __future__ import annotations

import numpy as np
import pytest

from throughtime.tasks import Criterion

SCORES = {"correct": np.array([True, True, False, True, False])}
NO_CATCH = {"catch": np.zeros(5, bool)}


def test_a_score_is_averaged_over_trials():
    assert Criterion("correct", at_least=0.6).value(SCORES, {}, {}) == pytest.approx(0.6)


def test_catch_trials_do_not_count():
    conditions = {"catch": np.array([False, False, True, False, True])}
    assert Criterion("correct", at_least=0.6).value(SCORES, conditions, {}) == 1


def test_groups_are_combinations_of_conditions():
    conditions = {"a": np.array([0, 0, 0, 1, 1]), "b": np.array([0.5, 0.5, np.nan, 0.5, 0.5]), **NO_CATCH}
    worst = Criterion("correct", at_least=0.5, group=("a", "b"), reduce="worst")
    assert worst.value(SCORES, conditions, {}) == 0
    mean = Criterion("correct", at_least=0.5, group=("a", "b"))
    assert mean.value(SCORES, conditions, {}) == pytest.approx((1 + 0 + 0.5) / 3)


def test_the_worst_group_of_an_error_is_the_largest():
    worst = Criterion("error", at_most=0.1, group=("a",), reduce="worst")
    value = worst.value({"error": np.array([0.1, 0.3, 0.05])}, {"a": np.array([0, 0, 1])}, {})
    assert value == pytest.approx(0.2)
    assert not worst.met(value)


def test_a_fitted_parameter_stands_in_where_no_score_has_the_name():
    slope = Criterion("slope", at_least=0.5)
    assert slope.value(SCORES, {}, {"slope": 0.7}) == 0.7
    assert Criterion("correct", at_least=0.5).value(SCORES, {}, {"correct": 9.0}) == pytest.approx(0.6)


@pytest.mark.parametrize("bound", [{"at_least": 0.0}, {"at_most": 10.0}])
def test_nan_is_never_met(bound):
    criterion = Criterion("error", **bound)
    assert not criterion.met(criterion.value({"error": np.array([0.1, np.nan])}, {}, {}))
    assert not criterion.met(criterion.value({"error": np.ones(2)}, {"catch": np.ones(2, bool)}, {}))
    assert criterion.met(1.0)


def test_bounds_include_their_value():
    assert Criterion("x", at_least=0.95).met(0.95)
    assert Criterion("x", at_most=0.1).met(0.1)
    assert not Criterion("x", at_least=0.95).met(0.94)
    assert not Criterion("x", at_most=0.1).met(0.11)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "measure 'x': give either at_least or at_most"),
        ({"at_least": 1.0, "at_most": 2.0}, "measure 'x': give either at_least or at_most"),
        ({"at_least": 1.0, "reduce": "median"}, "reduce 'median': expected 'mean' or 'worst'"),
        ({"at_least": 1.0, "reduce": "worst"}, "reduce 'worst': there are no groups"),
        ({"at_least": 1.0, "validations": 0}, "validations 0: expected at least 1"),
        ({"at_least": 1.0, "trials": 0}, "trials 0: expected at least 1"),
    ],
)
def test_criteria_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=f"^Criterion: {message}"):
        Criterion("x", **fields)


def test_unknown_measures_and_groups_are_named():
    with pytest.raises(ValueError, match="measure 'speed': expected one of correct, slope"):
        Criterion("speed", at_least=1.0).value(SCORES, {}, {"slope": 1.0})
    with pytest.raises(ValueError, match="group 'side': 'slope' is fitted to all trials at once; leave"):
        Criterion("slope", at_least=1.0, group=("side",)).value(SCORES, {}, {"slope": 1.0})
    with pytest.raises(ValueError, match="group 'side': no such condition; there are catch"):
        Criterion("correct", at_least=1.0, group=("side",)).value(SCORES, NO_CATCH, {})
