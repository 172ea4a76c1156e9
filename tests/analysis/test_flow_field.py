"""Flow fields: planted credit, learning by either matrix, fits by another route."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.flow_field import flow, flow_field, score
from throughtime.results import schema

UNITS, OUTPUTS, TRIALS, TIMES = 8, 2, 30, 6
RNG = np.random.default_rng(0)
OLD = 0.9 * np.linalg.qr(RNG.standard_normal((UNITS, UNITS)))[0]
ROWS = np.linalg.qr(RNG.standard_normal((UNITS, UNITS)))[0]
TRUE, ACROSS = ROWS[:OUTPUTS], ROWS[OUTPUTS : 2 * OUTPUTS]
STARTS = RNG.standard_normal((TRIALS, UNITS))
TARGETS = np.repeat(RNG.standard_normal((TRIALS, 1, OUTPUTS)), TIMES, 1)


def run(matrix, starts=STARTS):
    states = [starts]
    for _ in range(TIMES - 1):
        states.append(states[-1] @ matrix.T)
    return np.stack(states, axis=1)


BEFORE = run(OLD)
ERRORS = TARGETS - BEFORE @ TRUE.T


def learned(credit, rate=1e-4, lag=0):
    """The flow after one step along what ``credit`` assigns to units."""
    sent = ERRORS[:, lag:] @ credit
    return OLD + rate * np.einsum("ktu,ktv->uv", sent, BEFORE[:, : TIMES - lag])


def told(after, assumed, true=TRUE, **options):
    given = {"targets_after": TARGETS, "outputs": BEFORE @ TRUE.T, "targets": TARGETS, "before": BEFORE}
    given |= options
    return flow_field(
        given.pop("before"), after, given.pop("outputs"), given.pop("targets"), assumed, true, **given
    )


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.3, 0.8, 1.0])
def test_a_matrix_that_overlaps_by_rho_scores_rho(rho):
    tested = rho * TRUE + np.sqrt(1 - rho**2) * ACROSS
    found = told(run(learned(TRUE)), tested)
    assert found.score_assumed == pytest.approx(rho, abs=1e-7)
    assert found.score_true == pytest.approx(1, abs=1e-7)
    assert found.difference == pytest.approx(rho - 1, abs=1e-7)
    change = learned(TRUE) - OLD
    assert found.relative_change == pytest.approx(np.linalg.norm(change) / np.linalg.norm(OLD), rel=1e-6)
    np.testing.assert_allclose([found.r_squared_before, found.r_squared_after], 1)
    assert found.num_samples == TRIALS * (TIMES - 1)
    assert score("M", change, tested, ERRORS, BEFORE) == pytest.approx(rho, abs=1e-12)


def test_learning_with_a_biased_matrix_and_learning_from_reward_are_told_apart():
    """Many small noisy steps: by a copy of the decoder, or by the decoder with noise in place of a bias."""
    rng = np.random.default_rng(1)
    copy = 0.6 * TRUE + 0.8 * ACROSS
    supervised, rewarded = [], []
    for _ in range(10):
        noise = 2e-4 * rng.standard_normal((UNITS, UNITS))
        supervised.append(told(run(learned(copy) + noise), copy).difference)
        rewarded.append(told(run(learned(TRUE) + noise), copy).difference)
    assert min(supervised) > 0.02
    assert max(rewarded) < -0.02


def test_scales_of_matrices_and_turns_of_activity_change_nothing():
    after = run(learned(0.5 * TRUE + ACROSS)) + 1e-5 * RNG.standard_normal(BEFORE.shape)
    plain = told(after, ACROSS)
    assert -0.99 < plain.score_true < 0.99
    scaled = told(after, 7 * ACROSS, 0.1 * TRUE)
    assert scaled == pytest.approx(plain)
    turn = np.linalg.qr(RNG.standard_normal((UNITS, UNITS)))[0]
    turned = told(after @ turn, ACROSS @ turn, TRUE @ turn, before=BEFORE @ turn)
    assert turned == pytest.approx(plain, rel=1e-5)
    opposite = told(run(2 * OLD - learned(TRUE)), TRUE)
    assert opposite.score_true == pytest.approx(-1, abs=1e-6)


def test_a_flow_is_fitted_within_trials_and_within_the_trial():
    noisy = BEFORE + 0.1 * RNG.standard_normal(BEFORE.shape)
    found = flow(noisy)
    now, then = noisy[:, :-1].reshape(-1, UNITS), noisy[:, 1:].reshape(-1, UNITS)
    normal = np.linalg.solve(now.T @ now, now.T @ then).T
    np.testing.assert_allclose(found.matrix, normal, rtol=1e-8, atol=1e-12)
    assert found.r_squared == pytest.approx(1 - ((then - now @ normal.T) ** 2).sum() / (then**2).sum())
    assert found.rank == UNITS
    valid = np.arange(TIMES) < RNG.integers(3, TIMES, (TRIALS, 1))
    padded = np.where(valid[:, :, None], BEFORE, np.nan)
    np.testing.assert_allclose(flow(padded, valid=valid).matrix, OLD, atol=1e-10)
    flat = BEFORE * [*[1.0] * 5, 0, 0, 0]
    assert flow(flat).rank == 5


def test_padding_takes_no_part():
    short = {"before": BEFORE[:, :4], "outputs": BEFORE[:, :4] @ TRUE.T}
    short |= {"targets": TARGETS[:, :4], "targets_after": TARGETS[:, :4]}
    after = run(learned(ACROSS))
    plain = told(after[:, :4], TRUE, **short)
    nan = {
        name: np.pad(each, ((0, 0), (0, 2), (0, 0)), constant_values=np.nan) for name, each in short.items()
    }
    valid = np.broadcast_to(np.arange(TIMES) < 4, (TRIALS, TIMES))
    padded = told(np.where(valid[:, :, None], after, np.nan), TRUE, valid=valid, **nan)
    assert padded == pytest.approx(plain)


def test_a_lag_and_a_mask():
    late = told(run(learned(TRUE, lag=1)), ACROSS, lag=1)
    assert late.score_true == pytest.approx(1, abs=1e-6)
    assert told(run(learned(TRUE, lag=1)), ACROSS).score_true < 0.9999
    mask = np.zeros((TRIALS, TIMES, OUTPUTS))
    mask[:, 3:] = 1
    sent = (mask * ERRORS) @ TRUE
    masked = OLD + 1e-4 * np.einsum("ktu,ktv->uv", sent, BEFORE)
    assert told(run(masked), ACROSS, mask=mask).score_true == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"before": np.full(BEFORE.shape, np.nan)}, "before: 1440 of 1440 values are not finite"),
        ({"before": BEFORE[0]}, r"before: shape \(6, 8\); expected \(trial, time, …\)"),
        ({"before": BEFORE[0, 0]}, r"before: shape \(8,\); expected \(trial, time, unit\)"),
        ({"after": BEFORE[:, :5]}, r"after: shape \(30, 5, 8\); expected \(trial, time, …\) with the 30"),
        ({"after": BEFORE[:, :, :5]}, r"after: shape \(30, 6, 5\), before has \(30, 6, 8\); use the"),
        ({"after": BEFORE}, "after: zero change of the flow from before"),
        ({"outputs": np.ones((30, 6, 3))}, r"outputs: shape \(30, 6, 3\), targets have \(30, 6, 2\)"),
        ({"targets_after": TARGETS + 0.1}, "targets_after: not those before learning; a changed task"),
        ({"targets_after": TARGETS[:, :, :1]}, "targets_after: not those before learning"),
        ({"valid": np.arange(TIMES) < np.ones((30, 1))}, "activity: 0 steps of 8 units; use at least"),
        ({"valid": np.ones((30, 6))}, r"valid: float64 of shape \(30, 6\); use booleans of shape \(30, 6\)"),
        ({"mask": np.ones((30, 6, 1))}, r"mask: shape \(30, 6, 1\), targets have \(30, 6, 2\)"),
        ({"assumed": TRUE.T}, r"assumed: shape \(8, 2\); expected \(output, unit\), here \(2, 8\)"),
        ({"true": 0 * TRUE}, "true: predicts no change of the flow; errors or matrix are all 0"),
        ({"outputs": TARGETS}, "assumed: predicts no change of the flow"),
        ({"lag": 6}, "lag: 6 steps in trials of 6"),
        ({"before": 0 * BEFORE}, "activity: all 0 before or after every step"),
    ],
)  # fmt: skip
def test_refusals(change, message):
    given = {"after": run(learned(TRUE)), "assumed": ACROSS, "true": TRUE} | change
    with pytest.raises(ValueError, match=message):
        told(given.pop("after"), given.pop("assumed"), given.pop("true"), **given)


def datasets(seeds=3):
    """Seeds: learned by the copy, by the decoder, not at all, and diverged."""
    flows = [learned(ACROSS), learned(TRUE), OLD][:seeds]
    after = np.stack([run(each) for each in flows] + [np.full(BEFORE.shape, np.nan)])
    dims = ("seed", "trial", "time")
    both = []
    for rates in (np.stack([BEFORE] * (seeds + 1)), after):
        targets = np.broadcast_to(TARGETS, (seeds + 1, *TARGETS.shape))
        both.append(
            xr.Dataset(
                {
                    "rates": ((*dims, "unit"), rates),
                    "outputs": ((*dims, "output"), rates @ TRUE.T),
                    "targets": ((*dims, "output"), targets),
                    "valid": (dims, np.ones((seeds + 1, TRIALS, TIMES), np.int8)),
                    "mask": ((*dims, "output"), np.ones(targets.shape)),
                },
                {"seed": np.arange(seeds + 1) + 5},
            )
        )
    return both


def test_seeds():
    before, after = datasets()
    assumed = xr.DataArray(ACROSS, dims=("output", "unit"))
    true = xr.DataArray(
        np.stack([TRUE.T] * 4), dims=("seed", "unit", "output"), coords={"seed": before["seed"]}
    )
    found = analysis.flow_field(before, after, assumed=assumed, true=true)
    assert found["fit_status"].values.tolist() == [0, 0, 2, 1]
    assert found["seed"].values.tolist() == [5, 6, 7, 8]
    np.testing.assert_allclose(found["difference"][:2], [1, -1], atol=1e-6)
    assert np.isnan(found["score_true"][2:]).all()
    one = told(run(learned(TRUE)), ACROSS)
    for name, value in one._asdict().items():
        assert float(found[name][1]) == pytest.approx(value)
    assert set(found.dims) <= schema.DIMS
    assert all({"units", "long_name"} <= set(found[name].attrs) for name in found.data_vars)
    changed = after.assign(targets=after["targets"] + 1)
    with pytest.raises(ValueError, match="targets_after: not those before learning"):
        analysis.flow_field(before, changed, assumed=assumed, true=true)
    with pytest.raises(ValueError, match=r"before: no outputs; give what tt\.evaluate returns"):
        analysis.flow_field(before.drop_vars("outputs"), after, assumed=assumed, true=true)
    with pytest.raises(ValueError, match=r"assumed: dims \('unit',\) lack output; name them so"):
        analysis.flow_field(before, after, assumed=assumed[0], true=true)
    alone = {"assumed": assumed, "true": true.isel(seed=0, drop=True)}
    with pytest.raises(ValueError, match="after: zero change of the flow"):
        analysis.flow_field(before.isel(seed=2, drop=True), after.isel(seed=2, drop=True), **alone)
