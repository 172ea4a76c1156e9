"""All measures of a gradient in one dataset: enumerated signs, shares of steps, and its parts."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis import compare_gradients
from throughtime.results import schema

DIMS = {"recurrent": ("unit", "presynaptic_unit"), "bias": ("unit",)}
SIGNS = np.array(np.meshgrid(*[(-1.0, 1.0)] * 8)).reshape(8, -1).T
H = np.diag([1.0, 2.0, 0.5, 3.0, 1.5, 0.1]) + 0.2


def dataset(flat, *lead):
    """Blocks of 2 × 2 and 2 entries from (*lead, 6)."""
    flat = np.asarray(flat, float)
    blocks = {"recurrent": flat[..., :4].reshape(*flat.shape[:-1], 2, 2), "bias": flat[..., 4:]}
    return xr.Dataset({name: ((*lead, *DIMS[name]), value) for name, value in blocks.items()})


def product(v):
    flat = H @ np.concatenate([v["recurrent"].ravel(), v["bias"]])
    return {"recurrent": flat[:4].reshape(2, 2), "bias": flat[4:]}


RNG = np.random.default_rng(0)
G = RNG.standard_normal((2, 6))
DRAWS = G[:, None] + 0.5 * RNG.standard_normal((2, 5, 6))


def test_all_signs_have_no_bias_and_relative_variance_7():
    g = np.arange(1.0, 9.0)
    draws = xr.Dataset({"w": (("draw", "unit"), (SIGNS @ g)[:, None] * SIGNS)})
    found = compare_gradients(draws, xr.Dataset({"w": ("unit", g)}), population=True)
    np.testing.assert_allclose(found["bias"], 0, atol=1e-12)
    np.testing.assert_allclose(found["relative_variance"], 7)
    np.testing.assert_allclose(found["signal_to_noise"], 1 / 7)
    inner = (SIGNS @ g) ** 2 / (np.abs(SIGNS @ g) * np.sqrt(8) * np.linalg.norm(g) + 1e-300)
    silent = SIGNS @ g == 0
    np.testing.assert_allclose(found["cosine"][~silent, -1], inner[~silent])
    assert np.isnan(found["cosine"][silent]).all()


def test_a_planted_bias_is_found_relative_to_the_gradient():
    """A systematic error of length ½‖g‖, and a variance that alone would look like one."""
    g = G[0]
    error = 0.5 * np.linalg.norm(g) * np.eye(6)[2]
    noise = np.random.default_rng(1).standard_normal((4000, 6))
    found = compare_gradients(dataset(g + error + noise, "draw"), dataset(g))
    assert float(found["bias"][-1]) == pytest.approx(0.5, abs=0.03)
    assert float(found["bias_lower"][-1]) < 0.5 < float(found["bias_upper"][-1])
    few = [
        compare_gradients(dataset(g + noise[k : k + 4], "draw"), dataset(g))["bias_squared"][-1]
        for k in range(0, 800, 4)
    ]
    assert abs(np.mean(few)) < 4 * np.std(few) / np.sqrt(len(few))
    assert np.mean([(noise[k : k + 4].mean(0) ** 2).sum() for k in range(0, 800, 4)]) > 1


def test_a_rule_without_chance_is_its_own_population():
    found = compare_gradients(dataset(2 * G[0]), dataset(G[0]), product=product, learning_rate=0.1)
    assert "draw" not in found.dims
    np.testing.assert_allclose(found["cosine"], 1)
    np.testing.assert_allclose(found["bias"], 1)
    np.testing.assert_allclose(found["variance"], 0, atol=1e-20)
    wanted = -0.1 * 2 * G[0] @ G[0] + 0.5 * 0.01 * 4 * G[0] @ H @ G[0]
    assert float(found["predicted_change"]) == pytest.approx(wanted)
    assert found.attrs["population"] == 1


def test_it_is_the_functions_it_is_made_of_seed_by_seed():
    coords = {"seed": [4, 7]}
    draws, exact = (
        dataset(DRAWS, "seed", "draw").assign_coords(coords),
        dataset(G, "seed").assign_coords(coords),
    )
    feedback = xr.DataArray(RNG.standard_normal((2, 3, 1)), dims=("seed", "unit", "output"), coords=coords)
    readout = xr.DataArray(RNG.standard_normal((2, 1, 3)), dims=("seed", "output", "unit"), coords=coords)
    measured = xr.DataArray(RNG.standard_normal((2, 5)), dims=("seed", "draw"))
    found = compare_gradients(
        draws, exact, product=[product, lambda v: {name: 2 * each for name, each in product(v).items()}],
        learning_rate=0.1, measured=measured, feedback=feedback, readout=readout, trajectory="BPTT",
    )  # fmt: skip
    assert found["seed"].values.tolist() == [4, 7]
    xr.testing.assert_allclose(found["cosine"], analysis.gradient_alignment(draws, exact)["cosine"])
    spread = analysis.gradient_bias_variance(draws, exact)
    for name in spread:
        xr.testing.assert_allclose(found[name], spread[name])
    for seed in range(2):
        eta, h = 0.1, (seed + 1) * H
        changes = -eta * DRAWS[seed] @ G[seed] + 0.5 * eta**2 * np.einsum(
            "ki,ij,kj->k", DRAWS[seed], h, DRAWS[seed]
        )
        assert float(found["predicted_change"][seed]) == pytest.approx(changes.mean())
        assert float(found["measured_change"][seed]) == pytest.approx(float(measured[seed].mean()))
        b, w = feedback[seed].values[:, 0], readout[seed].values[0]
        cosine = b @ w / np.linalg.norm(b) / np.linalg.norm(w)
        assert float(found["feedback_cosine"][seed]) == pytest.approx(cosine)
    assert set(found.dims) <= schema.DIMS
    assert all({"units", "long_name"} <= set(found[name].attrs) for name in found.data_vars)
    assert found["block"].attrs["flag_meanings"] == "recurrent bias all"
    assert (found.attrs["method"], found.attrs["trajectory"]) == ("compare_gradients", "BPTT")


def test_turning_all_parameters_of_a_block_changes_nothing():
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((6, 6)))[0]

    def vector(flat, *lead):
        return xr.Dataset({"w": ((*lead, "unit"), flat)})

    plain = compare_gradients(vector(DRAWS[0], "draw"), vector(G[0]))
    turned = compare_gradients(vector(DRAWS[0] @ turn, "draw"), vector(G[0] @ turn))
    xr.testing.assert_allclose(plain, turned, rtol=1e-9)


def test_shares_of_steps_are_compared_step_by_step_and_in_the_sum():
    """Shares that are the exact ones of the step before agree at a lag of one step alone, up to the scale."""
    exact = np.random.default_rng(3).standard_normal((6, 6))
    late = np.concatenate([np.zeros((1, 6)), 3 * exact[:-1]])
    draws = np.stack([late, exact])
    time = {"time": (np.arange(6) + 0.5) * 20.0}
    found = compare_gradients(
        dataset(draws, "draw", "time").assign_coords(time), dataset(exact, "time").assign_coords(time),
        lags=[0.0, 20.0], population=True,
    )  # fmt: skip
    assert found["step_cosine"].dims == ("draw", "time", "block")
    assert found["lagged_cosine"].dims == ("draw", "lag", "block")
    np.testing.assert_array_equal(found["time"], time["time"])
    np.testing.assert_allclose(found["lag"], [0, 20])
    np.testing.assert_allclose(found["step_cosine"][1], 1)
    assert np.isnan(found["step_cosine"][0, 0]).all()
    norms = np.linalg.norm(exact, axis=1)
    wanted = (exact[1:] * exact[:-1]).sum(1) / norms[1:] / norms[:-1]
    np.testing.assert_allclose(found["step_cosine"][0, 1:, -1], wanted)
    np.testing.assert_allclose(found["lagged_cosine"][0, :, -1], [wanted.mean(), 1])
    np.testing.assert_allclose(found["lagged_cosine"][1, :, -1], [1, wanted.mean()])
    whole = compare_gradients(dataset(draws.sum(1), "draw"), dataset(exact.sum(0)), population=True)
    xr.testing.assert_allclose(whole["cosine"], found["cosine"])
    assert found["lagged_cosine"].attrs["units"] == "1"
    seeds = compare_gradients(
        dataset(draws, "seed", "time"), dataset(np.stack([exact, exact]), "seed", "time")
    )
    np.testing.assert_allclose(seeds["step_cosine"], found["step_cosine"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"product": product}, "learning_rate: not given; what a step does needs product and"),
        ({"learning_rate": 0.1}, "product: not given; what a step does needs product and"),
        ({"measured": xr.DataArray(0.0)}, "measured: given without product"),
        ({"feedback": xr.DataArray(0.0)}, "readout: not given; their cosine needs feedback and readout"),
        ({"readout": xr.DataArray(0.0)}, "feedback: not given"),
        ({"lags": [0.0]}, "lags: given for gradients without dim time; give the shares"),
        ({"product": [product], "learning_rate": 0.1}, "product: 1 functions for gradients without seeds"),
        ({"exact": dataset(G, "time")}, "draws: dim time must be in every block of draws and of exact"),
        ({"draws": dataset(DRAWS[0, :2], "draw")}, "draws: 2 draws; give at least 3"),
        ({"draws": dataset(DRAWS[0], "draw")[["bias"]]}, r"estimates: blocks \['bias'\], exact has"),
    ],
)
def test_refusals(change, message):
    given = {"draws": dataset(DRAWS[0], "draw"), "exact": dataset(G[0])} | change
    with pytest.raises(ValueError, match=message):
        compare_gradients(**given)


def test_refusals_of_seeds_and_lags():
    with pytest.raises(ValueError, match="product: one function for 2 seeds; give one function, or a list"):
        compare_gradients(dataset(G, "seed"), dataset(G, "seed"), product=product, learning_rate=0.1)
    with pytest.raises(ValueError, match="lags: exact has no evenly spaced coordinate time"):
        compare_gradients(dataset(G, "time"), dataset(G, "time"), lags=[0.0])
    timed = dataset(DRAWS[0], "time").assign_coords(time=np.arange(5) * 20.0)
    with pytest.raises(
        ValueError, match=r"lags: \[30.0\] … ms; use increasing multiples of dt = 20 ms from 0"
    ):
        compare_gradients(timed, timed, lags=[30.0])
