"""What trained circuits of the committed record do is what the tasks are known for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.results import labels

MAY_BE_MISSING = ("produced", "reaction_time", "asynchrony", "squared_error", "successive_error")
RECORD = Path(__file__).resolve().parents[2] / "evidence" / "tasks.nc"


@pytest.fixture(scope="module")
def tree():
    """The committed record."""
    return tt.results.load_tree(RECORD)


def behaviour(tree: xr.DataTree, name: str) -> xr.Dataset:
    """Signature variables (seed, trial) of a task's own value, or of a probe."""
    data = tree[name].to_dataset()
    if "condition" in data.dims:
        trained = tree["trained"].to_dataset()
        data = data.sel(condition=int(trained["own"][labels(trained["task"]).index(name)]), drop=True)
    return data


def fitted(tree: xr.DataTree, name: str, fit: str) -> xr.Dataset:
    """The signature's fit of every seed."""
    data = behaviour(tree, name)
    assert data.attrs["fit"] == fit
    arguments = {str(key): array for key, array in data.items() if array.dims == ("seed", "trial")}
    use = np.isfinite(xr.concat([a for k, a in arguments.items() if k not in MAY_BE_MISSING], "all")).all(
        "all"
    )
    return getattr(tt.analysis, fit)(**arguments, where=use)


IDEAL_COHERENCE = 2 * 0.05 * np.sqrt(100.0 / 800.0) / 0.032
"""Threshold of the ideal observer of perceptual-decision in percent, from noise, duration and gain."""


@pytest.mark.parametrize(
    ("name", "least", "largest"),
    [
        ("perceptual-decision", 0.7 * IDEAL_COHERENCE, 2 * IDEAL_COHERENCE),  # percent
        ("evidence-accumulation", 0.05, 2.0),  # cues
        ("interval-comparison", 0.005, 0.15),  # ln T2/T1
        ("interval-discrimination", 0.005, 0.15),
    ],
)
def test_choices_are_a_sigmoid_with_a_sensible_threshold(tree, name, least, largest):
    found = fitted(tree, name, "psychometric")
    assert (found["sigma"] > least).all()
    assert (found["sigma"] < largest).all()
    assert (abs(found["mu"]) < largest).all()
    assert (found["lapse"] < 0.06).all()


@pytest.mark.parametrize("name", ["cue-set-go", "interval-production"])
def test_produced_intervals_follow_the_asked_ones(tree, name):
    found = fitted(tree, name, "timing")
    assert (abs(found["slope"] - 1) < 0.15).all()
    assert (found["bias"] < 60).all()
    assert (found["within_sd"] > 5).all()
    assert (found["weber_fraction"] < 0.1).all()


def test_over_a_wide_range_variability_grows_with_the_interval_like_diffusion(tree):
    """SD ∝ T^β with β between 0 and 1 in every circuit: it grows, and by less than Weber's law says."""
    found = fitted(tree, "cue-set-go-wide", "timing")
    assert (found["interval"].max("condition") > 2400).all()
    assert (found["beta_lower"] > 0).all()
    assert (found["beta_upper"] < 0.9).all()
    shortest, longest = found["sd"].isel(condition=0), found["sd"].isel(condition=-1)
    assert (longest > 1.3 * shortest).all()


def test_where_the_target_is_a_step_the_interval_is_followed_and_its_variability_does_not_grow(tree):
    found = fitted(tree, "cue-set-go-step", "timing")
    assert (abs(found["slope"] - 1) < 0.1).all()
    assert (found["beta"] < 0.2).all()


def test_noise_makes_reproduced_intervals_regress_to_the_mean_of_the_prior(tree):
    quiet, noisy = (fitted(tree, f"ready-set-go-{level}", "timing_by") for level in ("quiet", "noisy"))
    assert (quiet["slope"] > 0.9).all()
    assert (noisy["slope"] < 0.7).all()
    shortest, longest = noisy["shortest"].values, noisy["longest"].values
    inside = (noisy["indifferences"] > shortest) & (noisy["indifferences"] < longest)
    assert inside.all()
    assert (noisy["shared_difference"] > 50).all()  # 800 ms is produced shorter under the short prior
    assert (noisy["shared_difference"] > 3 * quiet["shared_difference"]).all()


def test_the_error_of_a_remembered_direction_grows_with_the_delay(tree):
    found = fitted(tree, "delayed-response-later", "circular_error")
    assert found["level"].isel(seed=0).values.tolist() == [1000.0, 3000.0, 5000.0, 7000.0, 9000.0]
    assert (found["slope_lower"] > 0).all()
    assert (found["sd"].isel(condition=-1) > 1.5 * found["sd"].isel(condition=0)).all()


def test_a_remembered_category_outlasts_the_delays_of_training(tree):
    found = fitted(tree, "delayed-match-to-sample-later", "accuracy")
    assert float(found["level"].max()) == 9000.0
    assert (found["worst"] > 0.95).all()


def test_the_irrelevant_stimulus_has_next_to_no_slope(tree):
    found = fitted(tree, "contextual-integration", "contextual")
    assert (found["worst_ratio"] >= 10).all()
    assert (found["irrelevant"] < 0.1 * found["relevant"]).all()


def test_choices_follow_the_category_and_not_the_distance(tree):
    found = fitted(tree, "delayed-match-to-category", "category")
    assert (found["category_effect"] > 0.9).all()
    assert (abs(found["distance_effect"]) < 0.05).all()


def test_two_senses_are_better_than_one(tree):
    found = fitted(tree, "multisensory-decision", "psychometric_by")
    assert 1 < float(found["gain"].mean()) < 2


def test_marks_further_apart_are_harder_to_add(tree):
    found = fitted(tree, "adding-problem", "accuracy")
    right = found["fraction_correct"]
    assert (right.isel(condition=0) > right.isel(condition=-1) + 0.2).all()


def test_a_repeated_item_is_no_match(tree):
    found = fitted(tree, "abba", "repetition")
    assert (found["hit_rate"] > 0.9).all()
    assert (abs(found["repetition_effect"]) < 0.1).all()


def test_reaction_times_fall_with_coherence(tree):
    found = fitted(tree, "perceptual-decision-reaction-time", "chronometric")
    assert (found["upper"] < -20).all()  # ms per doubling
    assert (found["fraction_missing"] < 0.1).all()


@pytest.mark.parametrize(
    ("name", "least"), [("perceptual-decision-rank-1", 0.93), ("contextual-integration-rank-1", 0.92)]
)
def test_one_dimension_is_enough_to_decide(tree, name, least):
    """The ideal observers are right in 0.96 and 0.97 of the trials."""
    assert (tree[name].to_dataset()["measure"] > least).all()


def test_two_dimensions_can_compare_over_a_delay(tree):
    """Two circuits of three learn it with recurrent weights of rank 2, without an error."""
    measure = tree["parametric-working-memory-rank-2"].to_dataset()["measure"].values
    assert (measure > 0.95).sum() == 2


def test_the_first_and_the_last_item_are_remembered_best(tree):
    found = fitted(tree, "sequence-memory", "serial_position")
    assert (found["primacy"] > 0).all()
    assert (found["recency"] > 0).all()


def test_beats_go_on_at_the_tempo_they_had(tree):
    found = fitted(tree, "synchronization-continuation", "synchronization")
    assert (abs(found["slope"] - 1) < 0.02).all()
    assert (abs(found["asynchrony"]) < 10).all()
    assert (found["cv"] < 0.05).all()


def test_patterns_scale_with_speed(tree):
    found = fitted(tree, "temporal-pattern", "temporal_scaling")
    assert (abs(found["slope"] - 1) < 0.05).all()


def test_between_trained_speeds_a_pattern_keeps_to_one_of_them(tree):
    """At speeds 0.7 and 1.4 it is played as at the slower neighbour that was trained: no interpolation."""
    data = tree["temporal-pattern-between"].to_dataset()
    found = tt.analysis.temporal_scaling(
        **{str(name): array for name, array in data.items() if array.dims == ("seed", "trial")}
    )
    np.testing.assert_allclose(found["speed"][0], [0.5, 0.7, 1.0, 1.4, 2.0], atol=1e-6)
    np.testing.assert_allclose(found["mean_scale"], np.tile([2.0, 2.0, 1.0, 1.0, 0.5], (3, 1)), atol=0.06)


def test_a_second_sample_does_not_bring_the_slope_nearer_one(tree):
    """As it would for an observer that combines noisy measurements; it is not what these circuits do."""
    slope = []
    for name in ("one-two-go-noisy", "one-two-three-go-noisy"):
        data = tree[name].to_dataset()
        asked = data["interval"]
        slope.append(tt.analysis.timing(asked, data["produced"], where=np.isfinite(asked))["slope"])
    assert abs(float(slope[1].median() - slope[0].median())) < 0.1
    assert (slope[1] < 0.8).all()


def test_a_perturbation_of_ten_milliseconds_does_not_stop_a_timed_response(tree):
    assert (tree["delayed-pulse-perturbed"].to_dataset()["measure"] > 0.9).all()
