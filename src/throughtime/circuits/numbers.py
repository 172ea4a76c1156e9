"""The numbers of a trained circuit as NumPy arrays, for programs that know nothing of circuits."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.readout import readout_decay

if TYPE_CHECKING:
    from throughtime.circuits.circuit import Circuit
    from throughtime.circuits.dynamics.base import Params

ARRAYS = ("recurrent", "input", "bias", "readout", "readout_bias")


def precision(params: Mapping[str, Any]) -> contextlib.AbstractContextManager[Any]:
    """A block in which JAX computes in the precision of ``params``."""
    double = np.asarray(params["bias"]).dtype == np.float64
    return jax.enable_x64(True) if double else contextlib.nullcontext()


def free(params: Mapping[str, Any]) -> Params:
    """``params`` as arrays of JAX; to be called in a block of their :func:`precision`."""
    return {name: jnp.asarray(value) for name, value in params.items()}


def numbers(circuit: Circuit, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Effective weights, state before the first step and leak of the readout, by name.

    Returns:
        ``recurrent``, ``input``, ``bias``, ``readout``, ``readout_bias`` as in
        :class:`~throughtime.circuits.Weights`, ``initial_<variable>`` (unit,) for every state variable, and
        where the circuit has them ``output_feedback`` and ``kappa``, what an output keeps of itself in a
        step; in the precision of ``params``.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=2)
        >>> arrays = numbers(circuit, circuit.init(key=jax.random.key(0)))
        >>> {name: array.shape for name, array in arrays.items()}
        {'recurrent': (4, 4), 'input': (4, 1), 'bias': (4,), 'readout': (2, 4), 'readout_bias': (2,),
         'initial_current': (4,)}
    """
    with precision(params):
        given = free(params)
        weights = circuit.weights(given)
        arrays = {name: np.asarray(getattr(weights, name)) for name in ARRAYS}
        for name, value in circuit.initial_state(given).items():
            arrays[f"initial_{name}"] = np.asarray(value)
        if circuit.output_feedback:
            arrays["output_feedback"] = np.asarray(weights.output_feedback)
        if circuit.readout_tau is not None:
            arrays["kappa"] = np.asarray(readout_decay(circuit), arrays["bias"].dtype)
    return arrays
