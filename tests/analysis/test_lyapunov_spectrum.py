"""Lyapunov exponents: diagonal maps, Hénon, Lorenz, a quiet network, and rates found in other ways."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.lyapunov_spectrum import kaplan_yorke, lyapunov_spectrum
from throughtime.results import schema

RNG = np.random.default_rng(0)


def diagonal(*factors):
    return lambda s: s * jnp.array(factors)


def henon(s):
    return jnp.stack([1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]])


def lorenz(s, h=0.005):
    """One Runge–Kutta step of the Lorenz equations with σ = 10, ρ = 28, β = 8/3."""

    def flow(s):
        x, y, z = s
        return jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    a = flow(s)
    b = flow(s + h / 2 * a)
    c = flow(s + h / 2 * b)
    d = flow(s + h * c)
    return s + h / 6 * (a + 2 * b + 2 * c + d)


def test_a_diagonal_map_shrinks_by_its_factors():
    found = lyapunov_spectrum(diagonal(0.5, 0.9), np.ones(2), dt=1.0, num_steps=1000)
    np.testing.assert_allclose(found.exponent, np.log([0.9, 0.5]), atol=1e-12)
    assert found.mean_log_det == pytest.approx(np.log(0.45), abs=1e-12)
    assert found.kaplan_yorke == 0
    assert found.status == 0
    # the map is the same whatever a step is called; exponents are rates
    slower = lyapunov_spectrum(diagonal(0.5, 0.9), np.ones(2), dt=20.0, num_steps=1000)
    np.testing.assert_allclose(slower.exponent, found.exponent / 20, rtol=1e-12)
    np.testing.assert_allclose(found.final_state, np.array([0.5, 0.9]) ** 3000, rtol=1e-9, atol=1e-300)


def test_henon():
    found = lyapunov_spectrum(henon, np.array([0.1, 0.1]), dt=1.0, num_steps=100_000)
    np.testing.assert_allclose(found.exponent, (0.4193, -1.6233), atol=5e-4)
    assert found.mean_log_det == pytest.approx(np.log(0.3), abs=1e-10)
    assert found.kaplan_yorke == pytest.approx(1.258, abs=1e-3)
    state, logs = np.array(found.final_state), []  # the largest by the growth of one small deviation
    other = state + np.array([1e-8, 0.0])
    for _ in range(50_000):
        state, other = (np.array([1 - 1.4 * x * x + y, 0.3 * x]) for x, y in (state, other))
        away = other - state
        size = np.sqrt(away @ away)
        logs.append(np.log(size / 1e-8))
        other = state + away * (1e-8 / size)
    assert found.exponent[0] == pytest.approx(np.mean(logs), abs=3e-3)


@pytest.mark.parametrize("qr_every", [1, 10])
def test_lorenz(qr_every):
    num_steps = 400_000
    start = np.array([1.0, 1.0, 20.0])
    found = lyapunov_spectrum(lorenz, start, dt=0.005, num_steps=num_steps, qr_every=qr_every)
    np.testing.assert_allclose(found.exponent, (0.906, 0.0, -14.57), atol=0.01)
    assert found.mean_log_det == pytest.approx(-41 / 3, abs=1e-3)
    assert found.kaplan_yorke == pytest.approx(2.062, abs=2e-3)


def test_a_quiet_random_network_has_the_rates_of_its_eigenvalues():
    size, alpha, dt = 100, 0.05, 1.0
    weights = 0.8 * RNG.standard_normal((size, size)) / np.sqrt(size)

    def step(s):
        return s + alpha * (jnp.asarray(weights) @ jnp.tanh(s) - s)

    found = lyapunov_spectrum(step, RNG.standard_normal(size), dt=dt, num_steps=5000, burn_in=2000)
    wanted = np.log(np.abs(1 + alpha * (np.linalg.eigvals(weights) - 1))) / dt
    assert found.exponent[0] == pytest.approx(wanted.max(), abs=1e-4)
    assert found.exponent.sum() == pytest.approx(wanted.sum(), rel=1e-4)
    assert found.mean_log_det == pytest.approx(wanted.sum(), rel=1e-4)
    assert found.kaplan_yorke == 0
    few = lyapunov_spectrum(step, np.zeros(size), dt=dt, num_steps=5000, num_exponents=3)
    np.testing.assert_allclose(few.exponent[0], found.exponent[0], atol=1e-4)
    assert few.exponent.shape == (3,)
    assert np.isnan(few.mean_log_det)


def test_inputs_enter_in_their_order_and_only_after_the_burn_in_count():
    gains = np.concatenate([np.full(40, 3.0), RNG.uniform(0.5, 2.0, 60)])[:, None]

    def step(s, u):
        return u * s

    found = lyapunov_spectrum(step, np.ones(1), dt=2.0, inputs=gains, num_steps=60, burn_in=40)
    assert found.exponent[0] == pytest.approx(np.log(gains[40:]).mean() / 2, rel=1e-12)
    longer = np.concatenate([gains, np.full((5, 1), 100.0)])
    again = lyapunov_spectrum(step, np.ones(1), dt=2.0, inputs=longer, num_steps=60, burn_in=40, qr_every=4)
    np.testing.assert_allclose(again.exponent, found.exponent, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_exponents_do_not_depend_on_coordinates(seed):
    """s' = T F(T⁻¹ s) has the exponents of F, and so has F from other directions to start with."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((2, 2)))[0] @ np.diag([1.0, 2.0])

    def turned(s):
        return jnp.asarray(basis) @ henon(jnp.asarray(np.linalg.inv(basis)) @ s)

    options = {"dt": 1.0, "num_steps": 40, "burn_in": 20}  # rounding errors grow 1e11-fold
    here = lyapunov_spectrum(henon, np.array([0.1, 0.1]), **options)
    there = lyapunov_spectrum(turned, basis @ [0.1, 0.1], **options, seed=seed + 7)
    np.testing.assert_allclose(there.mean_log_det, here.mean_log_det, rtol=1e-12)
    np.testing.assert_allclose(there.exponent, here.exponent, atol=0.05)  # ln 4 / 40 at most


def test_kaplan_yorke():
    assert kaplan_yorke(np.array([0.906, 0.0, -14.57])) == pytest.approx(2 + 0.906 / 14.57)
    assert kaplan_yorke(np.array([0.5, 0.1])) == 2
    assert kaplan_yorke(np.array([0.5, -np.inf])) == 1
    assert kaplan_yorke(np.array([0.0, -1.0])) == 1  # a limit cycle
    assert kaplan_yorke(np.array([0.5, -0.2]), complete=False) != kaplan_yorke(np.array([0.5, -0.6]))
    assert np.isnan(kaplan_yorke(np.array([0.5, -0.2]), complete=False))
    assert np.isnan(kaplan_yorke(np.array([np.nan])))


def test_a_trajectory_that_diverges_is_nan_and_a_lost_direction_minus_infinity():
    blown = lyapunov_spectrum(lambda s: s**3, np.array([2.0]), dt=1.0, num_steps=50, burn_in=0)
    assert blown.status == 1
    assert np.isnan([*blown.exponent, blown.kaplan_yorke, blown.mean_log_det, *blown.final_state]).all()
    rank_one = np.outer([1.0, 2.0, 0.5], [0.3, 0.2, 0.1])
    lost = lyapunov_spectrum(lambda s: rank_one @ s, np.ones(3), dt=1.0, num_steps=50, burn_in=10)
    assert lost.exponent[0] == pytest.approx(np.log(np.trace(rank_one)))
    np.testing.assert_array_equal(lost.exponent[1:], -np.inf)
    assert (lost.status, lost.mean_log_det, lost.kaplan_yorke) == (2, -np.inf, 0)
    gone = lyapunov_spectrum(lambda s: 0 * s, np.ones(2), dt=1.0, num_steps=5, burn_in=0)
    np.testing.assert_array_equal(gone.exponent, -np.inf)


SOUND = {"dt": 1.0, "num_steps": 10, "burn_in": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, "dt: 0.0 ms is not a positive number"),
        ({"num_steps": 0}, "num_steps: 0; use at least 1"),
        ({"burn_in": -1}, "burn_in: -1; use at least 0"),
        ({"qr_every": 0}, "qr_every: 0; use at least 1"),
        ({"qr_every": 4}, r"num_steps: 10 is not a multiple of qr_every = 4; use 8 or 12"),
        ({"qr_every": 5, "burn_in": 3}, "burn_in: 3 is not a multiple of qr_every = 5; use 0 or 5"),
        ({"num_exponents": 3}, "num_exponents: 3 of a state of 2 components; use 1 to 2"),
        ({"inputs": np.ones((9, 1))}, r"inputs: 9 steps, burn_in \+ num_steps are 10; pass longer"),
        ({"inputs": np.ones(10)}, r"inputs: shape \(10,\); pass those of one trajectory"),
        ({"inputs": np.full((10, 1), np.nan)}, "inputs: 10 of 10 values are not finite"),
        ({"start": np.ones((2, 2))}, r"start: shape \(2, 2\); pass one state"),
        ({"start": np.array([1.0, np.inf])}, "start: 1 of 2 values are not finite"),
        ({"step": lambda s: s[:1]}, r"step: returns shape \(1,\) from a state of shape \(2,\)"),
        ({"step": lambda s: s.astype(jnp.float32)}, "step: returns float32 from a float64 state"),
        ({"step": lambda s, u: s}, "inputs: none given, but step takes a state and an input"),
    ],
)
def test_refusals(options, message):
    def step(s, u=None):
        return 0.9 * s

    given = {"step": step, "start": np.ones(2), **SOUND} | options
    with pytest.raises(ValueError, match=message):
        lyapunov_spectrum(given.pop("step"), given.pop("start"), **given)


def test_dataset_over_seeds_and_trials():
    factors = [0.9, 0.5]
    starts = RNG.standard_normal((2, 3, 2))
    start = xr.DataArray(starts, {"seed": [4, 7]}, ("seed", "trial", "state"))
    gains = RNG.uniform(0.5, 1.5, (3, 30, 1))
    inputs = xr.DataArray(gains, {"side": ("trial", [0, 1, 1])}, ("trial", "time", "input"))
    each = [lambda s, u, f=f: f * u * s + jnp.array([0.0, 1.0]) for f in factors]
    options = {"dt": 2.0, "num_steps": 20, "burn_in": 10}
    found = analysis.lyapunov_spectrum(each, start, inputs=inputs, **options)
    assert found.exponent.dims == ("seed", "trial", "direction")
    for s, t in np.ndindex(2, 3):
        alone = lyapunov_spectrum(each[s], starts[s, t], inputs=gains[t], **options)
        here = found.isel(seed=s, trial=t)
        for name in ("exponent", "kaplan_yorke", "mean_log_det", "final_state"):
            np.testing.assert_array_equal(here[name], getattr(alone, name))
    np.testing.assert_array_equal(found["seed"], [4, 7])
    np.testing.assert_array_equal(found["side"], [0, 1, 1])
    assert found.attrs["method"] == "lyapunov_spectrum"
    assert found.attrs["num_steps"] == 20
    assert set(found.dims) <= schema.DIMS
    for array in found.variables.values():
        assert array.attrs["units"] in schema.UNITS
        assert array.attrs["long_name"]
    assert found.exponent.attrs["units"] == "1/ms"
    single = analysis.lyapunov_spectrum(lambda s: 0.9 * s, start[0, 0], dt=1.0, num_steps=4, burn_in=0)
    assert single.exponent.dims == ("direction",)
    broken = start.copy()
    broken[1] = 1e200
    seen = analysis.lyapunov_spectrum(lambda s: s**2, broken * 1e-3, dt=1.0, num_steps=20, burn_in=0)
    assert seen.fit_status.attrs["flag_meanings"] == "computed diverged singular"
    assert (seen.fit_status[1] == 1).all()
    lost, unheard = start.copy(), inputs.copy()
    lost[1, 2, 0], unheard[0, 5] = np.nan, np.inf
    rest = analysis.lyapunov_spectrum(each, lost, inputs=unheard, num_exponents=1, **options)
    np.testing.assert_array_equal(rest.fit_status, [[1, 0, 0], [1, 0, 1]])
    assert np.isnan(rest.exponent[1, 2]).all()
    np.testing.assert_array_equal(np.isnan(rest.final_state).all("state"), rest.fit_status == 1)
    with pytest.raises(ValueError, match="start: 1 of 2 values are not finite"):
        analysis.lyapunov_spectrum(lambda s: 0.9 * s, lost[1, 2], dt=1.0)
    with pytest.raises(ValueError, match=r"start: dims .* lack state"):
        analysis.lyapunov_spectrum(each[0], start.rename(state="unit"), dt=1.0)
    with pytest.raises(ValueError, match=r"inputs: dims .*; expected \(…, time, input\)"):
        analysis.lyapunov_spectrum(each, start, dt=1.0, inputs=inputs.rename(time="lag"))
    with pytest.raises(ValueError, match="step: 3 steps, start have 2 seeds"):
        analysis.lyapunov_spectrum([*each, each[0]], start, dt=1.0, inputs=inputs)
