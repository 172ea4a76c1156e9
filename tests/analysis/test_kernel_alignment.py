"""Rich or lazy: linear models, a scaled two-layer network, kernels by hand and by another formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from tests import oracles
from throughtime import analysis
from throughtime.analysis.arrays import kernel_alignment as module
from throughtime.analysis.arrays.kernel_alignment import jacobian, kernel_alignment, relative_change
from throughtime.results import schema

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((8, 3))
TARGETS = np.sign(RNG.standard_normal(8))
START = {"hidden": RNG.standard_normal((12, 3)), "readout": RNG.standard_normal(12) / np.sqrt(12)}


def network(params, x):
    return params["readout"] @ jnp.tanh(params["hidden"] @ x)


def by_hand(features, start):
    """Kernels with their mean taken out of rows and columns, as matrices."""
    found = []
    for centring in (np.eye(len(features)), np.eye(len(features)) - 1 / len(features)):
        k, k0 = (centring @ f @ f.T @ centring for f in (features, start))
        found.append(np.trace(k @ k0) / np.sqrt(np.trace(k @ k) * np.trace(k0 @ k0)))
    return found


@pytest.mark.parametrize("widths", [(3, 2), (20, 15), (3, 40)])
def test_alignment_by_the_kernels_themselves(widths):
    one, other = (3 + RNG.standard_normal((11, width)) for width in widths)
    found = kernel_alignment(one, other)
    np.testing.assert_allclose(found[:2], by_hand(one, other), rtol=1e-12)
    assert found.num_rows == 11
    np.testing.assert_allclose(kernel_alignment(one.T, other.T, axis=0), found)
    deep = one.reshape(11, 1, -1), other.reshape(11, 1, -1)
    np.testing.assert_allclose(kernel_alignment(*deep), found)


def test_kernels_do_not_see_turns_and_scales_and_the_centred_no_shift():
    one, other = RNG.standard_normal((2, 9, 6))
    turn = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
    found = kernel_alignment(one, other)
    np.testing.assert_allclose(kernel_alignment(1e200 * one @ turn, 1e-200 * other), found)
    shifted = kernel_alignment(one + 5 * RNG.standard_normal(6), other)
    assert shifted.alignment_centred == pytest.approx(found.alignment_centred)
    assert abs(shifted.alignment - found.alignment) > 0.01
    assert kernel_alignment(other, one) == pytest.approx(found)
    assert found.alignment_centred < found.alignment < 1
    assert kernel_alignment(one @ turn, one)[:2] == pytest.approx((1, 1))


def test_jacobian_by_finite_differences():
    found = jacobian(lambda p, x: jnp.stack([network(p, x), p["readout"][0] ** 2]), START, INPUTS)
    assert found.shape == (8, 2, 48)
    with jax.enable_x64(True):
        for trial in (0, 5):
            slopes = [
                oracles.finite_differences(
                    lambda v, name=name, t=trial: network({**START, name: v}, jnp.asarray(INPUTS[t])),
                    jnp.asarray(START[name]),
                ).ravel()
                for name in ("hidden", "readout")
            ]
            np.testing.assert_allclose(found[trial, 0], np.concatenate(slopes), rtol=1e-6, atol=1e-9)
    only = jacobian(network, START, INPUTS, entering=("readout",))
    np.testing.assert_allclose(only[:, 0], np.tanh(INPUTS @ START["hidden"].T), rtol=1e-12)


def test_a_model_linear_in_its_parameters_keeps_its_tangent_kernel():
    def linear(params, x):
        return params["w"] @ jnp.sin(x)

    each = [jacobian(linear, {"w": RNG.standard_normal((2, 3))}, INPUTS) for _ in range(2)]
    for axis_first in each:
        assert axis_first.shape == (8, 2, 6)
    np.testing.assert_allclose(kernel_alignment(*each)[:2], 1, rtol=1e-12)


def trained(alpha):
    """Parameters after gradient descent on half the mean of (α (f − f₀) − y)², over α², at a stable step."""
    with jax.enable_x64(True):
        start = jax.tree.map(jnp.asarray, START)
        first = jax.vmap(network, (None, 0))(start, INPUTS)
        rows = jacobian(network, START, INPUTS)[:, 0]
        rate = 0.5 / np.linalg.eigvalsh(rows @ rows.T / 8).max()

        @jax.jit
        def train(alpha):
            def loss(params):
                outputs = alpha * (jax.vmap(network, (None, 0))(params, INPUTS) - first)
                return jnp.mean((outputs - TARGETS) ** 2) / 2 / alpha**2

            def step(params, _):
                return jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(loss)(params)), loss(params)

            return jax.lax.scan(step, start, length=800)

        params, losses = train(alpha)
        return {name: np.asarray(value) for name, value in params.items()}, np.asarray(losses) * alpha**2


@pytest.fixture(scope="module")
def outcomes():
    return {alpha: trained(alpha) for alpha in (0.3, 1.0, 10.0, 100.0)}


def test_scaling_the_output_makes_learning_lazy(outcomes):
    start = jacobian(network, START, INPUTS)
    tangent, centred, moved = [], [], []
    for params, losses in outcomes.values():
        assert losses[-1] < 0.1 * losses[0]
        found = kernel_alignment(jacobian(network, params, INPUTS), start)
        tangent.append(found.alignment)
        centred.append(found.alignment_centred)
        moved.append(relative_change(params, START)["all"])
    assert (np.diff(tangent) > 0).all()
    assert (np.diff(centred) > 0).all()
    assert (np.diff(moved) < 0).all()
    assert tangent[0] < 0.9
    assert tangent[-1] > 0.999
    assert moved[-1] < 0.02 < 0.5 < moved[0]


ROWS = RNG.standard_normal((4, 3))


@pytest.mark.parametrize(
    ("features", "start", "message"),
    [
        (np.full((4, 3), np.nan), ROWS, "features: 12 of 12 values are not finite"),
        (ROWS, np.full((4, 3), np.inf), "start: 12 of 12 values are not finite"),
        (ROWS[0], ROWS, r"features: shape \(3,\); pass rows and features"),
        (ROWS[:1], ROWS, "features: 1 rows of 3 features; use at least 2 rows"),
        (ROWS, ROWS[:2], "start: 2 rows, features have 4; use the same trials"),
        (np.zeros((4, 3)), ROWS, "features: all 0; their kernel points nowhere"),
        (ROWS, np.full((4, 3), 0.1), "start: zero variance over rows; the centred kernel points nowhere"),
        (np.ones((5001, 1)), ROWS, "features: 5001 rows; a kernel has at most 5000: take fewer trials"),
    ],
)
def test_refusals(features, start, message):
    with pytest.raises(ValueError, match=message):
        kernel_alignment(features, start)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": START | {"readout": np.full(12, np.nan)}}, "params: readout: 12 of 12 values are not"),
        ({"inputs": np.full((8, 3), np.nan)}, "inputs: 24 of 24 values are not finite"),
        ({"inputs": np.array(1.0)}, "inputs: a single number; pass one input a trial"),
        ({"entering": ("bias",)}, r"entering: \['bias'\]; the parameters are \['hidden', 'readout'\]"),
        ({"entering": ()}, "entering: no name; the parameters are"),
        ({"outputs": lambda p, x: network(p, x).astype("f4")}, "outputs: float32 from float64 parameters"),
        ({"inputs": np.zeros((5001, 3))}, "features: 5001 rows; a kernel has at most 5000"),
    ],
)
def test_refusals_of_the_jacobian(change, message):
    given = {"outputs": network, "params": START, "inputs": INPUTS} | change
    with pytest.raises(ValueError, match=message):
        jacobian(given.pop("outputs"), given.pop("params"), given.pop("inputs"), **given)


DIMS = {"hidden": ("unit", "input"), "readout": ("unit",)}


def checkpoints(seeds=2):
    change = {
        name: np.cumsum(0.2 * RNG.standard_normal((seeds, 3, *value.shape)), 1)
        for name, value in START.items()
    }
    data = xr.Dataset(
        {name: (("seed", "checkpoint", *DIMS[name]), START[name] + change[name]) for name in START},
        {"seed": [3, 8][:seeds]},
    )
    data["checkpoint_update"] = (("seed", "checkpoint"), np.arange(3 * seeds).reshape(seeds, 3))
    return data


def test_checkpoints_of_seeds():
    params = checkpoints()
    params["readout"][1, 2] = np.nan
    inputs = xr.DataArray(INPUTS, dims=("trial", "input"))
    rates = np.tanh(xr.dot(inputs, params["hidden"], dim="input")).transpose(..., "trial", "unit")
    rates[0, 1] = 0.0
    found = analysis.kernel_alignment(
        rates,
        outputs=lambda p, x: network(p, x),
        params=params,
        inputs=inputs,
        entering=["readout", "hidden"],
    )
    assert found["tangent_alignment"].dims == found["representation_alignment"].dims == ("seed", "checkpoint")
    np.testing.assert_allclose(found["tangent_alignment"][:, 0], 1)
    assert found["tangent_status"].values.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert found["representation_status"].values.tolist() == [[0, 2, 0], [0, 0, 0]]
    assert np.isnan(found["representation_alignment"][0, 1])
    assert np.isnan(found["tangent_alignment"][1, 2])
    here = {name: params[name].values[1] for name in START}
    jacobians = [
        jacobian(network, {name: value[k] for name, value in here.items()}, INPUTS) for k in range(2)
    ]
    wanted = kernel_alignment(jacobians[1], jacobians[0])
    assert float(found["tangent_alignment"][1, 1]) == pytest.approx(wanted.alignment)
    assert float(found["tangent_alignment_centred"][1, 1]) == pytest.approx(wanted.alignment_centred)
    activity = np.tanh(INPUTS @ here["hidden"].transpose(0, 2, 1))
    wanted = kernel_alignment(activity[2], activity[0])
    assert float(found["representation_alignment"][1, 2]) == pytest.approx(wanted.alignment)
    moved = found["relative_weight_change"]
    assert moved.dims == ("seed", "checkpoint", "block")
    assert found["block"].attrs["flag_meanings"] == "readout hidden all"
    apart = np.linalg.norm(here["hidden"][1] - here["hidden"][0]) / np.linalg.norm(here["hidden"][0])
    assert float(moved[1, 1, 1]) == pytest.approx(apart)
    np.testing.assert_array_equal(moved[:, 0], 0)
    assert np.isnan(moved[1, 2]).all()
    assert found.attrs["parameters"] == "readout hidden"
    assert found["seed"].values.tolist() == [3, 8]
    np.testing.assert_array_equal(found["checkpoint_update"], params["checkpoint_update"])
    assert set(found.dims) <= schema.DIMS
    assert all({"units", "long_name"} <= set(found[name].attrs) for name in found.data_vars)


def test_jacobians_given_and_a_start_given():
    params = {name: value + 0.3 for name, value in START.items()}
    inputs = xr.DataArray(INPUTS, dims=("trial", "input"))
    one = analysis.kernel_alignment(outputs=network, params=params, inputs=inputs, start_params=START)
    each = [
        xr.DataArray(jacobian(network, given, INPUTS), dims=("trial", "output", "parameter"))
        for given in (params, START)
    ]
    other = analysis.kernel_alignment(jacobian=each[0], start_jacobian=each[1])
    assert float(one["tangent_alignment"]) == pytest.approx(float(other["tangent_alignment"]))
    assert int(one["tangent_num_rows"]) == 8
    assert one.attrs["reference"] == other.attrs["reference"] == "given"
    assert "parameters" not in other.attrs
    only = analysis.kernel_alignment(
        outputs=network, params=params, inputs=inputs, start_params=START, entering=["readout"]
    )
    wanted = kernel_alignment(*(np.tanh(INPUTS @ given["hidden"].T) for given in (params, START)))
    assert float(only["tangent_alignment"]) == pytest.approx(wanted.alignment)
    assert only.attrs["parameters"] == "readout"


def test_the_start_is_differentiated_once_a_seed(monkeypatch):
    calls = []
    prepare = module.prepare

    def counted(*args, **options):
        one = prepare(*args, **options)
        return lambda *given: calls.append(1) or one(*given)

    monkeypatch.setattr(module, "prepare", counted)
    inputs = xr.DataArray(INPUTS, dims=("trial", "input"))
    analysis.kernel_alignment(outputs=network, params=checkpoints(), inputs=inputs)
    assert len(calls) == 2 * (3 + 1)


def test_dataset_refusals():
    rates = xr.DataArray(ROWS, dims=("trial", "unit"))
    inputs = xr.DataArray(INPUTS, dims=("trial", "input"))
    cases = [
        ({}, "rates: nothing given; pass rates, a jacobian, or outputs"),
        ({"rates": rates}, "start_rates: not given, and rates have no dim checkpoint"),
        ({"rates": rates.rename(unit="neuron"), "start_rates": rates}, "representation: dims .* lack unit"),
        ({"rates": 0 * rates, "start_rates": rates}, "features: all 0"),
        ({"params": START}, "start_params: not given, and params have no dim checkpoint"),
        ({"outputs": network}, "outputs: needs params and inputs; give the parameters"),
        (
            {"outputs": network, "params": START, "start_params": START},
            "outputs: needs params and inputs, and",
        ),
        ({"params": START, "start_params": START, "entering": ["bias"]}, "entering: no parameters bias"),
        (
            {
                "outputs": network,
                "params": START,
                "start_params": START,
                "inputs": inputs.rename(trial="unit"),
            },
            r"inputs: dims \('unit', 'input'\) lack trial",
        ),
    ]
    for given, message in cases:
        with pytest.raises(ValueError, match=message):
            analysis.kernel_alignment(**given)
