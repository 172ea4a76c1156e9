"""Sharpness: quadratic losses, a product of two numbers, and a scan network beside its whole Hessian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from jax.flatten_util import ravel_pytree

from throughtime import analysis
from throughtime.analysis.arrays import sharpness as module
from throughtime.analysis.arrays.sharpness import sharpness
from throughtime.results import schema

RNG = np.random.default_rng(0)


def quadratic(matrix):
    return lambda w: w @ jnp.asarray(matrix) @ w / 2


def test_linear_regression_curves_as_its_inputs_covary():
    x, y = RNG.standard_normal((30, 5)), RNG.standard_normal(30)
    found = sharpness(lambda w: jnp.mean((x @ w - y) ** 2) / 2, RNG.standard_normal(5), seed=0)
    wanted = np.linalg.svd(x, compute_uv=False)[[0, -1]] ** 2 / 30
    np.testing.assert_allclose(found.eigenvalue, wanted, rtol=1e-12)
    assert found.trace == pytest.approx((x**2).sum() / 30)
    assert (found.residual < 1e-12).all()
    assert (found.trace_error, found.num_params, found.converged) == (0, 5, True)
    assert np.isnan(found.stability_limit)


@pytest.mark.parametrize(("at", "wanted"), [((0, 0), (1, -1)), ((1, 1), (2, 0))])
def test_a_saddle_and_a_valley(at, wanted):
    found = sharpness(lambda p: (p[0] * p[1] - 1) ** 2 / 2, list(map(float, at)), seed=0, learning_rate=0.1)
    np.testing.assert_allclose(found.eigenvalue, wanted, atol=1e-12)
    assert found.trace == pytest.approx(sum(wanted))
    assert found.stability_limit == 20


def network(params, inputs, targets):
    """Mean squared error of a tanh network's output at every step."""

    def step(state, x):
        state = jnp.tanh(params["recurrent"] @ state + params["input"] @ x)
        return state, params["readout"] @ state

    _, outputs = jax.lax.scan(step, jnp.zeros(len(params["recurrent"])), inputs)
    return jnp.mean((outputs - targets) ** 2)


SIZES = {"recurrent": (9, 9), "input": (9, 2), "readout": (1, 9)}
INPUTS, TARGETS = RNG.standard_normal((6, 2)), RNG.standard_normal((6, 1))


def scan_params(scale=0.5):
    return {name: scale * RNG.standard_normal(size) for name, size in SIZES.items()}


def scan_loss(params):
    return network(params, INPUTS, TARGETS)


@pytest.fixture(scope="module")
def scanned():
    params = scan_params()
    with jax.enable_x64(True):
        flat, rebuild = ravel_pytree(jax.tree.map(jnp.asarray, params))
        whole = np.asarray(jax.jit(jax.hessian(lambda flat: scan_loss(rebuild(flat))))(flat))
    return params, whole, sharpness(scan_loss, params, seed=3, num_probes=400)


def test_a_scan_network_has_the_ends_of_its_whole_hessian(scanned):
    _, whole, found = scanned
    assert found.num_params == len(whole) == 108 >= module.DENSE_BELOW
    wanted = np.linalg.eigvalsh(whole)[[-1, 0]]
    assert wanted[1] < -1e-3
    np.testing.assert_allclose(found.eigenvalue, wanted, atol=1e-8)
    assert (found.residual < 1e-8).all()


def test_the_trace_is_estimated_within_the_error_it_states(scanned):
    _, whole, found = scanned
    off = whole - np.diag(np.diag(whole))
    assert found.trace_error == pytest.approx(np.sqrt(2 * (off**2).sum() / 400), rel=0.2)
    assert abs(found.trace - np.trace(whole)) < 4 * found.trace_error
    again = sharpness(quadratic(whole), np.zeros(108), seed=3, num_probes=400)
    assert again.trace == pytest.approx(found.trace, rel=1e-6)  # the same signs
    other = sharpness(quadratic(whole), np.zeros(108), seed=4, num_probes=400)
    assert other.trace != pytest.approx(found.trace, rel=1e-6)
    np.testing.assert_allclose(other.eigenvalue, found.eigenvalue, atol=1e-8)


FEW = RNG.standard_normal((10, 120))
MATRICES = {
    "of low rank": FEW.T @ FEW / 10,
    "of low rank, from above": -FEW.T @ FEW / 10,
    "shifted": FEW.T @ FEW / 10 - 0.1 * np.eye(120),
    "small": 1e-12 * FEW.T @ FEW,
    "of rank one": np.outer(FEW[0], FEW[0]),
    "one large, the others close together": np.diag(np.r_[np.full(119, 1e-6), 5.0]),
    "a multiple of one": 3.0 * np.eye(120),
    "none": np.zeros((120, 120)),
    "spread over many scales": np.diag(np.r_[10.0, np.geomspace(1e-7, 1, 118), -1e-7]),
}


@pytest.mark.parametrize("name", MATRICES)
def test_both_ends_are_found_where_one_is_close_to_zero(name):
    matrix = MATRICES[name]
    found = sharpness(quadratic(matrix), np.ones(120), seed=0, num_probes=2)
    values = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(found.eigenvalue, values[[-1, 0]], atol=2e-9 * np.abs(values).max())
    assert (found.residual <= 3.1e-8 * np.abs(values).max()).all()
    assert found.converged


def test_turning_the_parameters_changes_nothing_and_scaling_the_loss_scales():
    turn = np.linalg.qr(RNG.standard_normal((120, 120)))[0]
    matrix = MATRICES["shifted"]
    plain = sharpness(quadratic(matrix), np.zeros(120), seed=0, num_probes=2)
    turned = sharpness(quadratic(-2 * turn @ matrix @ turn.T), np.zeros(120), seed=0, num_probes=2)
    np.testing.assert_allclose(turned.eigenvalue, -2 * plain.eigenvalue[::-1], atol=1e-8)


def test_gradient_descent_leaves_a_quadratic_loss_beyond_the_limit():
    matrix = np.diag([0.5, 4.0])
    for rate, grows in ((0.49, False), (0.51, True)):
        found = sharpness(quadratic(matrix), np.ones(2), seed=0, learning_rate=rate)
        w = np.ones(2)
        for _ in range(200):
            w = w - rate * matrix @ w
        assert (found.eigenvalue[0] > found.stability_limit) == grows == (np.abs(w).max() > 1)


def test_eigenvalues_that_do_not_converge_are_nan():
    crowd = 1 - np.geomspace(1e-8, 0.5, 200)
    matrix = np.diag(np.r_[crowd, 1 - crowd])
    found = sharpness(quadratic(matrix), np.zeros(400), seed=0, num_probes=2, max_iterations=1)
    assert not found.converged
    assert np.isnan(found.eigenvalue).all()
    assert np.isnan(found.residual).all()
    assert found.trace == pytest.approx(np.trace(matrix))
    data = xr.Dataset({"w": ("parameter", np.zeros(400))})
    named = analysis.sharpness(
        lambda p: quadratic(matrix)(p["w"]), data, seed=0, num_probes=2, max_iterations=1
    )
    assert int(named["fit_status"]) == 2
    half = sharpness(
        quadratic(MATRICES["spread over many scales"]), np.zeros(120), seed=0, num_probes=2, max_iterations=1
    )
    assert not half.converged
    assert half.eigenvalue[0] == pytest.approx(10)
    assert np.isnan([half.eigenvalue[1], half.residual[1]]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": {"w": np.array([1.0, np.inf])}}, "params: 1 of 2 values are not finite"),
        ({"params": {"w": np.zeros(0)}}, "params: no parameters; pass those the loss"),
        ({"loss": lambda p: p["w"]}, r"loss: returns float64 of shape \(2,\); return one float64 number"),
        ({"loss": lambda p: p["w"].sum().astype("f4")}, r"loss: returns float32 of shape \(\); return one"),
        (
            {"loss": lambda p: jnp.log(-p["w"]).sum()},
            "loss: 1 of 1 values are not finite; the Hessian is not",
        ),
        ({"learning_rate": 0.0}, "learning_rate: 0.0 is not a number > 0"),
        ({"learning_rate": np.nan}, "learning_rate: nan is not a number > 0"),
        ({"num_probes": 1}, "num_probes: 1; use at least 2"),
    ],
)
def test_refusals(change, message):
    given = {"loss": lambda p: (p["w"] ** 2).sum(), "params": {"w": np.ones(2)}, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        sharpness(**given)


def test_circuits_of_a_dataset_are_measured_one_by_one_and_compiled_once():
    dims = {
        "recurrent": ("unit", "presynaptic_unit"),
        "input_weights": ("unit", "input"),
        "readout": ("output", "unit"),
    }
    every = [[scan_params() for _ in range(3)] for _ in range(2)]
    names = {"recurrent": "recurrent", "input_weights": "input", "readout": "readout"}
    data = xr.Dataset(
        {
            name: (
                ("seed", "checkpoint", *own),
                np.array([[one[names[name]] for one in row] for row in every]),
            )
            for name, own in dims.items()
        },
        {"seed": [4, 9]},
    )
    data["checkpoint_update"] = (("seed", "checkpoint"), np.arange(6).reshape(2, 3) * 100)
    data["readout"][1, 2] = np.nan
    traced = []

    def loss(params):
        traced.append(1)
        return scan_loss(
            {"recurrent": params["recurrent"], "input": params["input_weights"], "readout": params["readout"]}
        )

    found = analysis.sharpness(loss, data, seed=3, learning_rate=0.1, num_probes=20, regularised=True)
    assert found["eigenvalue"].dims == ("seed", "checkpoint", "mode")
    assert found["fit_status"].values.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert np.isnan(found["eigenvalue"][1, 2]).all()
    assert found["stability_limit"].values.tolist() == [[20] * 3] * 2
    assert len(traced) < 15
    one = sharpness(scan_loss, every[1][1], seed=3, num_probes=20)
    np.testing.assert_allclose(found["eigenvalue"][1, 1], one.eigenvalue, atol=1e-8)
    assert found["mode"].attrs["flag_meanings"] == "largest smallest"
    assert found["seed"].values.tolist() == [4, 9]
    np.testing.assert_array_equal(found["checkpoint_update"], data["checkpoint_update"])
    assert found.attrs["regularised"] == 1
    assert found.attrs["parameters"] == "recurrent input_weights readout"
    assert set(found.dims) <= schema.DIMS
    assert all({"units", "long_name"} <= set(found[name].attrs) for name in found.data_vars)


def test_one_circuit_by_a_mapping_of_arrays():
    params = scan_params()
    found = analysis.sharpness(scan_loss, params, seed=0, num_probes=2)
    assert dict(found.sizes) == {"mode": 2}
    assert int(found["num_params"]) == 108
    with pytest.raises(ValueError, match="params: 9 of 9 values are not finite"):
        analysis.sharpness(scan_loss, params | {"readout": np.full((1, 9), np.nan)}, seed=0)
    with pytest.raises(ValueError, match="params: no parameters; give an array for each, by name"):
        analysis.sharpness(scan_loss, {}, seed=0)
