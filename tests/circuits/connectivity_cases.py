"""Connectivities of eight units and what each must obey, told apart from how it is done."""

from __future__ import annotations

import jax
import numpy as np

from throughtime.circuits import Dale, Dense, LowRank, MultiRegion, Sparse

N = 8
RNG = np.random.default_rng(7)
MASK = RNG.uniform(size=(N, N)) < 0.6
MASK[0], MASK[3, 3] = False, True  # a unit without inputs, and one with a self-connection
PLASTIC = RNG.uniform(size=(N, N)) < 0.5
REGIONS = MultiRegion(sizes=(5, 3), names=("a", "b"), blocks=[[1.0, 0.0], [0.5, 1.0]])
DIAGONAL = np.eye(N, dtype=bool)


def zero_at(absent):
    def law(weights):
        assert not weights[..., absent].any()
        assert weights.any()

    return law


def signs(num_excitatory, starts=(0, N)):
    """The first units of each region excite, the others inhibit."""

    def law(weights):
        for first, last, count in zip(starts, starts[1:], num_excitatory, strict=False):
            assert (weights[..., first : first + count] >= 0).all()
            assert (weights[..., first + count : last] <= 0).all()
            assert weights[..., first : first + count].any()
            assert weights[..., first + count : last].any()

    return law


def both(*laws):
    def law(weights):
        for one in laws:
            one(weights)

    return law


def rank_of(most):
    def law(weights):
        values = np.linalg.svd(np.asarray(weights, float), compute_uv=False)
        assert (values[..., most:] < 1e-6 * values[..., :1]).all()
        assert (values[..., most - 1] > 1e-3 * values[..., 0]).all()

    return law


def anything(weights):
    assert weights.any()


FORWARD = np.zeros((N, N), bool)
FORWARD[:5, 5:] = True  # what REGIONS lacks: from b to a

CASES = {
    "dense": (Dense(1.2), anything),
    "orthogonal": (Dense(distribution="orthogonal"), anything),
    "identity": (Dense(distribution="identity"), anything),
    "balanced": (Dense(distribution="balanced"), anything),
    "no-self": (Dense(self_connections=False), zero_at(DIAGONAL)),
    "balanced-no-self": (Dense(distribution="balanced", self_connections=False), zero_at(DIAGONAL)),
    "sparse-random": (Sparse(density=0.5, self_connections=False), zero_at(DIAGONAL)),
    "sparse-mask": (Sparse(mask=MASK), zero_at(~MASK)),
    "sparse-orthogonal": (Sparse(mask=MASK, base=Dense(distribution="orthogonal")), zero_at(~MASK)),
    "sparse-balanced": (Sparse(mask=MASK, base=Dense(distribution="balanced")), zero_at(~MASK)),
    "sparse-plastic": (Sparse(mask=MASK, plastic=PLASTIC), zero_at(~MASK)),
    "sparse-plastic-units": (Sparse(mask=MASK, plastic_units=0.6), zero_at(~MASK)),
    "dale": (Dale(0.7), signs([6])),
    "dale-unbalanced": (Dale(0.5, balanced=False), signs([4])),
    "dale-sparse": (Dale(0.6, base=Sparse(mask=MASK)), both(signs([5]), zero_at(~MASK))),
    "dale-plastic": (
        Dale(0.6, base=Sparse(mask=MASK, plastic=PLASTIC)),
        both(signs([5]), zero_at(~MASK)),
    ),
    "dale-regions": (Dale(0.6, base=REGIONS), both(signs([3, 2], (0, 5, 8)), zero_at(FORWARD))),
    "sparse-dale": (Sparse(mask=MASK, base=Dale(0.6)), both(signs([5]), zero_at(~MASK))),
    "plastic-dale": (
        Sparse(mask=MASK, plastic_units=0.5, base=Dale(0.6)),
        both(signs([5]), zero_at(~MASK)),
    ),
    "regions": (REGIONS, zero_at(FORWARD)),
    "regions-sparse": (
        MultiRegion((5, 3), blocks=[[1, 0], [1, 1]], base=Sparse(mask=MASK)),
        zero_at(FORWARD | ~MASK),
    ),
    "sparse-regions": (Sparse(mask=MASK, base=REGIONS), zero_at(FORWARD | ~MASK)),
    "low-rank": (LowRank(rank=2, initial_overlap=0.5), rank_of(2)),
    "low-rank-base": (LowRank(rank=1, base=Dense(0.8)), anything),
    "low-rank-trained-base": (LowRank(rank=1, base=Dense(0.8), train_base=True), anything),
    "low-rank-sparse": (LowRank(rank=1, base=Sparse(mask=MASK)), anything),
}


def draw(connectivity, gates=1, seed=0, num_units=N):
    return connectivity.init(num_units, gates, key=jax.random.key(seed))
