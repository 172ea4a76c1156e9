"""Connectivities that cannot be, or not in this circuit, and weights that no free parameters give."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from tests.circuits.connectivity_cases import MASK, PLASTIC, REGIONS, N
from throughtime.circuits import Circuit, Connectivity, Dale, Dense, Leaky, LowRank, MultiRegion, Sparse


@dataclasses.dataclass(frozen=True)
class PerUnit(Connectivity):
    """Parameters that are not one number a synapse."""

    def init(self, num_units, num_gates, *, key):
        return {"recurrent": jnp.zeros(num_units)}


SOFTPLUS = Leaky(activation="softplus")
ALTERNATING = np.resize([1.0, -1.0], (N, N))
HALF = np.full((N, N), 0.5)
ERRORS = [
    (lambda: Dense(gain="1"), "Dense: gain '1' is not a number >= 0; use about 1"),
    (lambda: Dense(gain=True), "Dense: gain True is not a number"),
    (lambda: Dense(distribution="orthogonl"), "unknown distribution 'orthogonl'; did you mean 'orthogonal'"),
    (lambda: Dense(self_connections=1), "Dense: self_connections 1 is neither True nor False"),
    (
        lambda: Dense(distribution="identity", self_connections=False),
        "leaves nothing of distribution 'identity'",
    ),
    (
        lambda: Dense(self_connections=False).free(np.eye(3)),
        "Dense: weights: 1 from unit 0 to unit 0, where no",
    ),
    (lambda: Sparse(density=0.0), r"Sparse: density 0.0 is not a number in \(0, 1\]; use 0.1"),
    (lambda: Sparse(density=1.1), "density 1.1 is not"),
    (lambda: Sparse(density=float("nan")), "density nan is not"),
    (lambda: Sparse(density=None), "density None is not"),
    (lambda: Sparse(density=0.5, mask=MASK), "density 0.5 is given beside a mask; leave one"),
    (lambda: Sparse(mask=MASK[0]), r"Sparse: mask has shape \(8,\), expected \(unit, presynaptic_unit\)"),
    (lambda: Sparse(mask=MASK[:4]), r"mask has shape \(4, 8\), expected"),
    (lambda: Sparse(mask=np.zeros((0, 0))), r"mask has shape \(0, 0\), expected"),
    (lambda: Sparse(mask=HALF), "mask has entries other than True and False; compare"),
    (lambda: Sparse(mask=[["a"]]), "mask has entries other than True and False"),
    (lambda: Sparse(mask=HALF < 0), "Sparse: mask is True nowhere; mark at least one"),
    (lambda: Sparse(plastic=HALF), "plastic has entries other than"),
    (lambda: Sparse(plastic_units=1.5), "plastic_units 1.5 is not a number from 0 to 1"),
    (lambda: Sparse(plastic=PLASTIC, plastic_units=0.5), "plastic_units 0.5 is given beside plastic"),
    (lambda: Sparse(mask_seed=-1), "mask_seed -1 is not a whole number >= 0"),
    (lambda: Sparse(mask_seed=0.5), "mask_seed 0.5 is not a whole number"),
    (lambda: Sparse(self_connections=None), "self_connections None is neither"),
    (
        lambda: Sparse(self_connections=False, base=Dense(distribution="identity")),
        "Sparse: self_connections False leaves nothing of a base",
    ),
    (
        lambda: Sparse(plastic_units=0.5, base=Sparse(plastic_units=0.5)),
        "Sparse: base has fixed synapses of its own",
    ),
    (lambda: Sparse(mask=MASK).check(9, SOFTPLUS), r"mask has shape \(8, 8\), expected \(9, 9\); give one"),
    (
        lambda: Sparse(0.9, plastic=PLASTIC).check(9, SOFTPLUS),
        r"plastic has shape \(8, 8\), expected \(9, 9\)",
    ),
    (lambda: Sparse(density=1e-9).check(5, SOFTPLUS), "Sparse: no synapse is left between 5 units; use more"),
    (
        lambda: Sparse(mask=MASK).free(np.ones((N, N))),
        "Sparse: weights: 1 from unit 0 to unit 0, where no synapse exists, expected 0; set it to 0",
    ),
    (
        lambda: Sparse(base=PerUnit()).check(5, SOFTPLUS),
        r"base PerUnit has the parameter 'recurrent' of shape \(5,\)",
    ),
    (lambda: Sparse(base=LowRank(2)), "Sparse: base LowRank has rank 2, which masks and signs"),
    (lambda: MultiRegion(base=LowRank(2)), "MultiRegion: base LowRank has rank 2"),
    (lambda: Dale(base=LowRank(2)), "Dale: base LowRank has rank 2"),
    (
        lambda: Dale(base=LowRank(2, base=Dense())).check(9, SOFTPLUS),
        r"Dale: base LowRank has the parameter 'left' of shape \(9, 2\), expected one number a synapse",
    ),
    (lambda: Sparse(base="dense"), "Sparse: base 'dense' is not a connectivity; use one such as Dense"),
    (lambda: Dale(excitatory=1.2), "Dale: excitatory 1.2 is not a number from 0 to 1; use 0.8"),
    (lambda: Dale(excitatory=1), "Dale: excitatory 1 leaves units of one kind only"),
    (lambda: Dale(excitatory=0.0), "excitatory 0.0 leaves units of one kind only"),
    (lambda: Dale(balanced="no"), "Dale: balanced 'no' is neither"),
    (
        lambda: Dale(base=Sparse(base=Dale())),
        "Dale: base has cell types .* of its own; apply Dale's law once",
    ),
    (lambda: Dale(base=Dense(distribution="identity")), "Dale: balanced weights need a base whose"),
    (lambda: Dale().check(9, Leaky(activation="tanh")), "Dale: rates of Leaky.* can be negative, .*softplus"),
    (lambda: Dale().check(2, SOFTPLUS), "excitatory 0.8 makes 2 of 2 units excitatory, which cannot"),
    (
        lambda: Dale(base=MultiRegion((6, 2))).check(8, SOFTPLUS),
        "makes 2 of 2 units of region 'b' excitatory, which cannot be balanced",
    ),
    (
        lambda: Dale(0.5).free(np.ones((N, N))),
        "Dale: weights: 1 from unit 4, which is inhibitory; expected weights >= 0 from excitatory",
    ),
    (lambda: Dale(0.5).free(ALTERNATING), "Dale: weights: -1 from unit 1, which is excitatory"),
    (lambda: LowRank(rank=0), "LowRank: rank 0 is not a whole number >= 1"),
    (lambda: LowRank(rank=1.5), "rank 1.5 is not a whole number"),
    (lambda: LowRank(gain=0.0), "LowRank: gain 0.0 is not a number > 0"),
    (lambda: LowRank(initial_overlap=np.inf), "LowRank: initial_overlap inf is not a number; use 0"),
    (lambda: LowRank(train_base=True), "LowRank: train_base True has no base to train"),
    (lambda: LowRank(train_base=0), "LowRank: train_base 0 is neither"),
    (lambda: LowRank(base=3), "LowRank: base 3 is not a connectivity; use Dense"),
    (lambda: LowRank(base=LowRank(2)), "LowRank: base has rank 2, but shall be of full rank"),
    (lambda: LowRank(base=Dale()), "LowRank: base has cell types"),
    (lambda: LowRank(rank=9).check(8, SOFTPLUS), "LowRank: rank 9 is above the number of units, 8"),
    (
        lambda: LowRank(rank=2).free(np.eye(3)),
        "LowRank: weights have rank 3, expected at most 2; use LowRank.rank=3",
    ),
    (
        lambda: LowRank(base=Sparse(mask=MASK)).check(9, SOFTPLUS),
        r"mask has shape \(8, 8\), expected \(9, 9\)",
    ),
    (lambda: MultiRegion(sizes=5), "MultiRegion: sizes 5 is not one entry a region; use a tuple"),
    (lambda: MultiRegion(names="ab"), "MultiRegion: names 'ab' is not one entry a region"),
    (lambda: MultiRegion(sizes=()), r"MultiRegion: sizes \(\) has no region"),
    (lambda: MultiRegion(sizes=(4, 0)), "MultiRegion: sizes 0 is not a whole number >= 1"),
    (lambda: MultiRegion(sizes=(4, 4, 4)), r"names \('a', 'b'\) are 2 for 3 regions; use one name"),
    (lambda: MultiRegion(names=("a", "b c")), "names has 'b c'; use a text without blanks"),
    (lambda: MultiRegion(names=("a", "")), "names has ''; use a text"),
    (lambda: MultiRegion(names=("a", "a")), r"names \('a', 'a'\) repeat"),
    (lambda: MultiRegion(blocks=np.ones((3, 3))), r"blocks has shape \(3, 3\), expected \(2, 2\)"),
    (lambda: MultiRegion(blocks=[[1, 2], [0, 1]]), "blocks has 2, expected probabilities from 0 to 1"),
    (lambda: MultiRegion(blocks=[[1, np.nan], [0, 1]]), "blocks has nan, expected"),
    (lambda: MultiRegion(blocks=[[0, 0], [0, 0]]), "blocks are all 0; mark at least"),
    (lambda: MultiRegion(blocks="full"), "blocks 'full' is no matrix of numbers"),
    (lambda: MultiRegion(mask_seed="a"), "MultiRegion: mask_seed 'a' is not"),
    (lambda: MultiRegion(base=Sparse(base=MultiRegion())), "MultiRegion: base has regions .* list all"),
    (lambda: MultiRegion(base=Dale()), "MultiRegion: base has cell types, .*use Dale.base=MultiRegion"),
    (
        lambda: Circuit(1, 100, 1, recurrent=MultiRegion()),
        r"MultiRegion: sizes \(64, 64\) sum to 128, but the circuit has 100 units",
    ),
    (lambda: REGIONS.free(np.ones((N, N))), "MultiRegion: weights: 1 from unit 5 to unit 0, where no"),
    (lambda: REGIONS.units_of("c"), "MultiRegion: no region 'c'; use one of a, b"),
    (lambda: REGIONS.input_mask({"a": [2]}, 2), "MultiRegion: input 2 of 'a' does not exist; use 0 to 1"),
    (lambda: REGIONS.input_mask({"a": [0]}, 2), "MultiRegion: input 1 belongs to no region; list it"),
    (lambda: REGIONS.readout_mask({"a": [0]}, 2), "MultiRegion: output 1 belongs to no region"),
]


@pytest.mark.parametrize(("make", "message"), ERRORS)
def test_impossible_connectivities_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
