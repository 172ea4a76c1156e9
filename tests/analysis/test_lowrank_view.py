"""Low-rank views: exact rank-2 circuits, their two numbers a unit, and what truncation loses."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.lowrank_view import lowrank_view, span_basis
from throughtime.analysis.arrays.simulator import simulator
from throughtime.results import schema

RNG = np.random.default_rng(0)
SIZE, STEPS, TRIALS, ALPHA = 12, 60, 2, 0.2
M, N = RNG.standard_normal((2, SIZE, 2))
WEIGHTS = 1.5 * M @ N.T / SIZE
ENTRY, READOUT = RNG.standard_normal((SIZE, 1)), RNG.standard_normal((1, SIZE))
BIAS, START = 0.3 * RNG.standard_normal(SIZE), RNG.standard_normal(SIZE)
INPUTS = np.where(np.arange(STEPS) < 20, 1.0, 0.0)[None, :, None] * np.array([1.0, -0.7])[:, None, None]
TARGET = np.array([0.4, -0.2])


def current(s, u, w):
    """One Euler step of τ dx/dt = −x + W tanh(x) + W_in u + b."""
    return s + ALPHA * (w @ jnp.tanh(s) - s + jnp.asarray(ENTRY) @ u + jnp.asarray(BIAS))


def performance(states):
    return 3.0 - float(np.mean((np.tanh(states[:, -1]) @ READOUT[0] / SIZE - TARGET) ** 2))


def runner(weights=WEIGHTS):
    return simulator(current, START, INPUTS, performance, weights=weights)


RUN = runner()
GIVEN = {"input_weights": ENTRY, "readout": READOUT, "bias": BIAS, "start": START}


def test_an_exact_rank_two_circuit_is_kept_at_two_ranks():
    found = lowrank_view(WEIGHTS, RUN, **GIVEN)
    np.testing.assert_array_equal(found.rank, np.arange(11))
    full = performance(RUN()[0])
    assert found.full_performance == full
    for error in (found.trajectory_error, found.reduced_error):
        assert (error[2:] < 1e-10).all()
        assert (error[:2] > 1e-3).all()
    for kept in (found.performance, found.reduced_performance):
        np.testing.assert_allclose(kept[2:], full, atol=1e-10)
    np.testing.assert_allclose(found.performance_share, found.performance / full)
    assert abs(found.performance[1] - full) > 1e-5
    np.testing.assert_array_equal(found.span_dimension[:3], [3, 4, 5])
    np.testing.assert_allclose(found.span_share[2:], 1, atol=1e-12)
    assert (found.span_share[:2] < 1 - 1e-4).all()
    assert (found.singular_value[2:] < 1e-12).all()
    assert (found.status == 0).all()


def test_two_numbers_run_the_circuit():
    """κ' in the five dimensions of u_1, u_2, input, bias and start, simulated as such, gives x = Bκ."""
    left, singular, right = np.linalg.svd(WEIGHTS)
    basis = np.linalg.qr(np.column_stack([left[:, :2], ENTRY, BIAS, START]))[0]
    wanted = []
    for channels in INPUTS:
        kappa, states = basis.T @ START, []
        for u in channels:
            rates = np.tanh(basis @ kappa)
            drive = left[:, :2] @ (singular[:2] * (right[:2] @ rates)) + ENTRY @ u + BIAS
            kappa = kappa + ALPHA * (basis.T @ drive - kappa)
            states.append(basis @ kappa)
        wanted.append(states)
    np.testing.assert_allclose(RUN()[0], wanted, atol=1e-11)
    mine = span_basis(left[:, :2], ENTRY, BIAS[:, None], START[:, None], size=SIZE)
    np.testing.assert_allclose(mine @ mine.T, basis @ basis.T, atol=1e-12)
    np.testing.assert_allclose(RUN(basis=mine)[0], wanted, atol=1e-11)


def test_vectors_and_cosines():
    found = lowrank_view(WEIGHTS, RUN, **GIVEN, ranks=[0, 2])
    rebuilt = found.left.T @ np.diag(found.singular_value[:2]) @ found.right
    np.testing.assert_allclose(rebuilt, WEIGHTS, atol=1e-12)
    assert (found.left.max(1) == np.abs(found.left).max(1)).all()
    assert found.left.shape == (2, SIZE)
    assert found.cosines.right_input.shape == (2, 1)

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    for k in range(2):
        u, v = found.left[k], found.right[k]
        assert found.cosines.left_input[k, 0] == pytest.approx(cosine(u, ENTRY[:, 0]))
        assert found.cosines.right_input[k, 0] == pytest.approx(cosine(v, ENTRY[:, 0]))
        assert found.cosines.left_readout[k, 0] == pytest.approx(cosine(u, READOUT[0]))
        assert found.cosines.right_readout[k, 0] == pytest.approx(cosine(v, READOUT[0]))
        for j in range(2):
            assert found.cosines.left_right[k, j] == pytest.approx(cosine(u, found.right[j]))
    assert found.cosines.input_readout[0, 0] == pytest.approx(cosine(ENTRY[:, 0], READOUT[0]))
    # σ_k u_k·v_j are the weights as the vectors see them: the same eigenvalues
    small = found.singular_value[:2, None] * found.cosines.left_right[:, :2]
    wanted = np.linalg.eigvals(WEIGHTS)
    wanted = wanted[np.argsort(-np.abs(wanted))[:2]]
    np.testing.assert_allclose(np.sort_complex(np.linalg.eigvals(small)), np.sort_complex(wanted), atol=1e-12)
    silent = lowrank_view(WEIGHTS, RUN, input_weights=np.column_stack([ENTRY, 0 * ENTRY]), ranks=[2])
    assert np.isnan(silent.cosines.left_input).tolist() == [[False, True]] * 2
    assert silent.cosines.left_readout is None


def test_a_learned_change_of_rank_one():
    before = 0.9 * RNG.standard_normal((SIZE, SIZE)) / np.sqrt(SIZE)
    after = before + np.outer(M[:, 0], N[:, 0]) / SIZE
    found = lowrank_view(after, runner(after), before=before, **GIVEN)
    assert found.trajectory_error[0] > 1e-3
    assert (found.trajectory_error[1:] < 1e-10).all()
    assert found.reduced_error[1] > 1e-3  # what the rest of the weights does outside of the subspace
    np.testing.assert_allclose(abs(found.left[0] @ M[:, 0]), np.linalg.norm(M[:, 0]))


@pytest.mark.parametrize("seed", range(3))
def test_whole_weights_lose_nothing_and_rotations_of_the_state_change_nothing(seed):
    rng = np.random.default_rng(seed)
    weights = 0.5 * rng.standard_normal((4, 4))
    entry = rng.standard_normal((4, 1))
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]

    def of(w, e):
        def step(s, u, given):
            return s + ALPHA * (given @ s - s + jnp.asarray(e) @ u)

        def measure(states):  # of the state's length, which no rotation changes
            return float(np.linalg.norm(states[:, -1]))

        return simulator(step, np.zeros(4), INPUTS, measure, weights=w)

    here = lowrank_view(weights, of(weights, entry), input_weights=entry)
    assert here.trajectory_error[-1] < 1e-10
    assert here.reduced_error[-1] < 1e-10
    assert here.rank[-1] == 4
    turned = turn @ weights @ turn.T
    there = lowrank_view(turned, of(turned, turn @ entry), input_weights=turn @ entry)
    for name in ("performance", "trajectory_error", "reduced_error", "span_share", "singular_value"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=1e-10)


def test_the_share_is_counted_from_chance_and_divergence_is_nan():
    found = lowrank_view(WEIGHTS, RUN, ranks=[0, 1, 2], chance=2.5)
    np.testing.assert_allclose(
        found.performance_share, (found.performance - 2.5) / (found.full_performance - 2.5)
    )
    own = np.diag([0.5, 0.2, 0.1])

    def fragile(s, u, w):
        return jnp.where(w[1, 1] < 0.1, jnp.inf, w @ s + u)

    run = simulator(fragile, np.zeros(3), np.ones((5, 1)), lambda s: float(s[-1].sum()), weights=own)
    lost = lowrank_view(own, run, ranks=[0, 1, 2, 3])
    assert lost.status.tolist() == [1, 1, 0, 0]
    assert np.isnan(lost.performance).tolist() == [True, True, False, False]
    assert np.isnan(lost.trajectory_error).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": WEIGHTS[:3]}, r"weights: shape \(3, 12\); expected .* square"),
        ({"weights": np.full((SIZE, SIZE), np.nan)}, "weights: 144 of 144 values are not finite"),
        ({"weights": 0 * WEIGHTS}, "weights: all are 0; there are no singular vectors"),
        ({"weights": 2 * WEIGHTS}, "weights: a run with them differs from one without"),
        ({"weights": np.eye(3)}, "simulate: states of 12 components, weights of 3 units"),
        ({"before": WEIGHTS}, "before: the weights have not changed"),
        ({"before": np.eye(3)}, r"before: shape \(3, 3\), weights have \(12, 12\)"),
        ({"input_weights": ENTRY[:3]}, "input_weights: 3 units, weights have 12"),
        ({"readout": READOUT[:, :3]}, "readout: 3 units, weights have 12"),
        ({"bias": BIAS[:3]}, "bias: 3 units, weights have 12"),
        ({"start": START * np.inf}, "start: 12 of 12 values are not finite"),
        ({"ranks": [2, 1]}, r"ranks: \[2, 1\]; use increasing whole numbers from 0 to 12"),
        ({"ranks": [13]}, "ranks: .* from 0 to 12"),
        ({"num_vectors": 0}, "num_vectors: 0; compare at least 1"),
        ({"chance": 3.5}, r"chance: 3.5, the performance is 2\.\d+; a share needs"),
        ({"simulate": lambda **_: (np.zeros((4, SIZE)), 1.0)}, "simulate: all states are 0"),
    ],
)
def test_refusals(change, message):
    given = {"weights": WEIGHTS, "simulate": RUN} | change
    with pytest.raises(ValueError, match=message):
        lowrank_view(given.pop("weights"), given.pop("simulate"), **given)


def test_dataset_over_seeds():
    weights = np.stack([WEIGHTS, 0.5 * WEIGHTS.T])
    runs = [runner(each) for each in weights]
    dims = ("seed", "unit", "presynaptic_unit")
    named = {
        "weights": xr.DataArray(weights, {"seed": [3, 8], "unit": 10 + np.arange(SIZE)}, dims),
        "input_weights": xr.DataArray(ENTRY, dims=("unit", "input")),
        "readout": xr.DataArray(np.stack([READOUT, -READOUT]), dims=("seed", "output", "unit")),
        "bias": xr.DataArray(BIAS, dims="unit"),
        "start": xr.DataArray(START, dims="unit"),
    }
    given = dict(named)
    found = analysis.lowrank_view(given.pop("weights"), runs, **given, ranks=[0, 1, 2, 5])
    assert found.performance.dims == ("seed", "rank")
    assert found.left.dims == ("seed", "component", "unit")
    np.testing.assert_array_equal(found["rank"], [0, 1, 2, 5])
    np.testing.assert_array_equal(found["seed"], [3, 8])
    np.testing.assert_array_equal(found["unit"], 10 + np.arange(SIZE))
    for s, run in enumerate(runs):
        alone = lowrank_view(
            weights[s], run, input_weights=ENTRY, readout=READOUT * (-1) ** s, bias=BIAS, start=START,
            ranks=[0, 1, 2, 5],
        )  # fmt: skip
        for name in alone._fields:
            if name in found.data_vars:
                np.testing.assert_array_equal(found[name][s], getattr(alone, name), err_msg=name)
        for name in alone.cosines._fields:
            np.testing.assert_array_equal(found[name][s], getattr(alone.cosines, name), err_msg=name)
        np.testing.assert_array_equal(found.rank_status[s], alone.status)
    assert set(found.dims) <= schema.DIMS
    for array in found.variables.values():
        assert array.attrs["units"] in schema.UNITS
        assert array.attrs["long_name"]
    bare = analysis.lowrank_view(named["weights"][0], RUN, ranks=[2])
    assert "left_input" not in bare
    assert "input_readout" not in bare
    assert bare.performance.dims == ("rank",)
    gone = named["weights"].where(named["weights"]["seed"] == 3)
    broken = analysis.lowrank_view(gone, runs, ranks=[0, 2])
    assert broken.fit_status.values.tolist() == [0, 1]
    assert broken.rank_status.values.tolist() == [[0, 0], [2, 2]]
    with pytest.raises(ValueError, match="weights: 2 seeds, 1 to simulate"):
        analysis.lowrank_view(named["weights"], runs[:1])
    with pytest.raises(ValueError, match=r"readout: dims \('seed', 'unit'\); expected \(…, output, unit\)"):
        analysis.lowrank_view(named["weights"], runs, readout=named["readout"][:, 0])
