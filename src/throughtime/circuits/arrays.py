"""A circuit from a user's own weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.circuit import Circuit
from throughtime.circuits.connectivity import Connectivity, Dense
from throughtime.circuits.dynamics import Dynamics, Leaky

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from throughtime.circuits.dynamics.base import Params


def from_arrays(
    recurrent: ArrayLike,
    input: ArrayLike,
    readout: ArrayLike,
    bias: ArrayLike | None = None,
    readout_bias: ArrayLike | None = None,
    *,
    dt: float,
    tau: Any = None,
    form: str | None = None,
    activation: str | None = None,
    dynamics: Dynamics | None = None,
    connectivity: Connectivity | None = None,
    noise: float = 0.0,
    output_feedback: ArrayLike | None = None,
    **fields: Any,
) -> tuple[Circuit, Params]:
    """A circuit and its parameters from effective weights.

    Args:
        recurrent: W, ([gate,] unit, presynaptic_unit).
        input: W_in, ([gate,] unit, input).
        readout: W_out, (output, unit).
        bias: b, ([gate,] unit); what the dynamics begins with (zeros for leaky units) by default.
        readout_bias: (output,); zeros by default.
        dt: step, ms.
        tau: time constant in ms, one number or (unit,); form: ``current`` or ``rate``; activation: see
            :class:`~throughtime.circuits.Leaky`, whose defaults they replace.
        dynamics: any dynamics, in place of ``tau``, ``form`` and ``activation``.
        connectivity: a constraint the weights obey and training shall keep; all-to-all by default.
        noise: σ of the drive noise.
        output_feedback: W_fb, ([gate,] unit, output), of outputs that are fed back; none are by default.
        fields: further fields of :class:`~throughtime.circuits.Circuit`.

    Returns:
        the circuit, and parameters in the precision JAX uses (float32, or float64 under
        ``jax.enable_x64``); ``circuit.weights(params)`` gives the weights back. A scattered initial state is
        drawn from key 0.

    Raises:
        ValueError: for arrays whose shapes do not fit each other, that are not finite, or that violate a
            constraint (a sign under Dale's law, a synapse outside a mask, too high a rank).

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> W, W_in, W_out = rng.normal(size=(4, 4)), rng.normal(size=(4, 2)), rng.normal(size=(1, 4))
        >>> circuit, params = from_arrays(W, W_in, W_out, tau=50.0, dt=10.0, form="rate")
        >>> circuit.num_units, np.allclose(circuit.weights(params).recurrent, W)
        (4, True)
    """
    simple = {"tau": tau, "form": form, "activation": activation}
    given = {name: value for name, value in simple.items() if value is not None}
    if dynamics is not None and given:
        raise ValueError(f"from_arrays: {', '.join(given)} given beside dynamics; set them in the dynamics.")
    dynamics = Leaky(**given) if dynamics is None else dynamics
    connectivity = Dense() if connectivity is None else connectivity
    W, W_in, W_out = (
        _finite(name, array)
        for name, array in (("recurrent", recurrent), ("input", input), ("readout", readout))
    )
    gates = dynamics.num_drives > 1
    for name, array, dims, kind in (
        ("recurrent", W, 2 + gates, "(unit, presynaptic_unit)"),
        ("input", W_in, 2 + gates, "(unit, input)"),
        ("readout", W_out, 2, "(output, unit)"),
    ):
        if array.ndim != dims:
            wanted = f"(gate, {kind[1:]}" if dims == 3 else kind
            raise ValueError(f"from_arrays: {name} has shape {array.shape}, expected {wanted}.")
    num_units, fields = W.shape[-1], {**fields, "noise_sd": noise}
    if output_feedback is not None:
        fields["output_feedback"] = True
    circuit = Circuit(
        W_in.shape[-1],
        num_units,
        W_out.shape[0],
        dt=float(dt),
        dynamics=dynamics,
        recurrent=connectivity,
        **fields,
    )
    drawn = circuit_shapes(circuit)
    b = np.asarray(dynamics.init_bias(num_units)) if bias is None else _finite("bias", bias)
    b_out = np.zeros(len(W_out)) if readout_bias is None else _finite("readout_bias", readout_bias)
    recurrent_shape = (*((len(dynamics.recurrent_drives),) if gates else ()), num_units, num_units)
    if W.shape != recurrent_shape:
        raise ValueError(f"from_arrays: recurrent has shape {W.shape}, expected {recurrent_shape}.")
    plain = {"input": W_in, "bias": b, "readout": W_out, "readout_bias": b_out}
    if output_feedback is not None:
        plain["output_feedback"] = _finite("output_feedback", output_feedback)
    for name, array in plain.items():
        if array.shape != drawn[name].shape:
            raise ValueError(
                f"from_arrays: {name} has shape {array.shape}, expected {drawn[name].shape} beside "
                f"recurrent weights of {num_units} units."
            )
    for name, mask in (("input", circuit.input_mask), ("readout", circuit.readout_mask)):
        if mask is not None and np.any(plain[name] * ~mask.values):
            raise ValueError(f"from_arrays: {name} has weights where {name}_mask is False; set them to 0.")
        if name in circuit.non_negative and (plain[name] < 0).any():
            raise ValueError(f"from_arrays: {name} has negative weights, but is declared non_negative.")
    params = {name: jnp.asarray(array, float) for name, array in plain.items()}
    others = {
        name: jnp.asarray(np.asarray(value), float)
        for name, value in {
            **_own(dynamics, num_units),
            **circuit.initial.init_params(circuit),
        }.items()
    }
    effective = {name: jnp.asarray(value) for name, value in connectivity.free(W).items()}
    return circuit, {**effective, **params, **others}


def circuit_shapes(circuit: Circuit) -> dict[str, Any]:
    """Shapes and dtypes of the parameters ``circuit.init`` draws."""
    import jax

    return jax.eval_shape(lambda key: circuit.init(key=key), jax.random.key(0))


def _own(dynamics: Dynamics, num_units: int) -> Params:
    import jax

    return dynamics.init_params(num_units, key=jax.random.key(0))


def _finite(name: str, array: ArrayLike) -> np.ndarray:
    values = np.asarray(array, float)
    if not np.isfinite(values).all():
        raise ValueError(f"from_arrays: {name} has values that are not finite; clean them first.")
    return values
