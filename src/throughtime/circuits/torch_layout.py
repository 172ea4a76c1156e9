"""Weights of ``torch.nn.RNN``, ``nn.GRU`` and ``nn.LSTM``: circuits from them, and layers from circuits.

PyTorch stacks the gates of a layer in the rows of one matrix and gives each row two biases that only ever
occur as a sum (but for one of the GRU). A circuit has one bias a drive. PyTorch itself is not needed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime.circuits.arrays import from_arrays
from throughtime.circuits.dynamics import GRU, LSTM, Dynamics, Leaky

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from throughtime.circuits.circuit import Circuit
    from throughtime.circuits.dynamics.base import Params

WEIGHTS = ("weight_ih_l0", "weight_hh_l0")
BIASES = ("bias_ih_l0", "bias_hh_l0")


class Layout(NamedTuple):
    """How one kind of layer stacks its rows.

    Attributes:
        layer: what PyTorch calls it.
        gates: for each block of rows, the index of our recurrent and input weights; its own inverse.
    """

    layer: str
    gates: tuple[int, ...]


LAYOUTS = {
    "lstm": Layout("nn.LSTM", (1, 0, 3, 2)),  # rows i, f, g, o; drives f, i, o, g
    "gru": Layout("nn.GRU", (0, 1, 2)),  # rows r, z, n; drives reset, update, candidate (twice)
    "rnn-tanh": Layout("nn.RNN", (0,)),
    "rnn-relu": Layout("nn.RNN", (0,)),
}


def from_torch(
    state: Mapping[str, Any],
    *,
    dt: float = 20.0,
    readout: ArrayLike | None = None,
    readout_bias: ArrayLike | None = None,
    kind: str | None = None,
    **fields: Any,
) -> tuple[Circuit, Params]:
    """A circuit that does what a layer of PyTorch does, and its parameters.

    ``nn.LSTM`` becomes :class:`LSTM`, ``nn.GRU`` :class:`GRU` with the reset after the synapses, ``nn.RNN`` a
    :class:`Leaky` in the rate form with ``tau`` equal to dt. Like PyTorch's, trials start from zeros.

    Args:
        state: ``layer.state_dict()``, or arrays under its names, of a layer with one level and one direction;
            without biases (``bias=False``) they are 0.
        dt: what one step of the layer shall mean, ms.
        readout: (output, unit) weights such as those of an ``nn.Linear`` behind the layer; by default the
            identity, so that the outputs are those of the layer.
        readout_bias: (output,); zeros by default.
        kind: ``lstm``, ``gru``, ``rnn-tanh`` or ``rnn-relu``; read off the shapes by default, except for an
            ``nn.RNN``, whose weights do not tell its nonlinearity.
        fields: further fields of :func:`from_arrays`, such as ``noise``.

    Returns:
        the circuit, and parameters in the precision JAX uses.

    Raises:
        ValueError: for names or shapes of another kind of layer, with what to do.

    Example:
        >>> import numpy as np
        >>> layer = {"weight_ih_l0": np.ones((12, 3)), "weight_hh_l0": np.zeros((12, 4))}
        >>> circuit, params = from_torch(layer, dt=10.0)
        >>> type(circuit.dynamics).__name__, circuit.num_units, params["input"].shape
        ('GRU', 4, (3, 4, 3))
    """
    arrays = {name: _array(value) for name, value in state.items()}
    _refuse_names(arrays)
    kind, units = _kind(arrays, kind)
    gates = list(LAYOUTS[kind].gates)
    rows = len(gates) * units
    stacked = {**dict.fromkeys(BIASES, np.zeros(rows)), **arrays}
    for name, array in stacked.items():
        inner = {"weight_hh_l0": (units,), "weight_ih_l0": array.shape[1:2] or (1,)}.get(name, ())
        if array.shape != (rows, *inner):
            raise ValueError(
                f"from_torch: {name} has shape {array.shape}, expected {(rows, *inner)} in a "
                f"{LAYOUTS[kind].layer} of {units} units."
            )
    of_input, of_units, bias_in, bias_units = (
        stacked[name].reshape(len(gates), units, *stacked[name].shape[1:])[gates]
        for name in (*WEIGHTS, *BIASES)
    )
    bias = bias_in + bias_units
    if kind == "gru":
        bias = np.concatenate([bias[:2], bias_units[2:], bias_in[2:]])
    elif len(gates) == 1:
        of_input, of_units, bias = of_input[0], of_units[0], bias[0]
    return from_arrays(
        of_units,
        of_input,
        np.eye(units) if readout is None else _array(readout),
        bias,
        None if readout_bias is None else _array(readout_bias),
        dt=dt,
        dynamics=_dynamics(kind, dt),
        **fields,
    )


def to_torch(circuit: Circuit, params: Params) -> dict[str, np.ndarray]:
    """A circuit's effective weights under PyTorch's names, for ``layer.load_state_dict``.

    The whole bias of a drive goes to ``bias_ih_l0`` and ``bias_hh_l0`` is 0, except for the recurrent
    candidate of a GRU. Readout and initial state are no part of a layer: PyTorch starts from zeros.

    Args:
        circuit: with :class:`LSTM`; :class:`GRU`, reset after; or :class:`Leaky` in the rate form with tanh
            or relu and ``tau`` equal to dt.
        params: its parameters. Behind all-to-all weights a gradient by them is converted alike.

    Returns:
        arrays; ``{name: torch.from_numpy(array) for …}`` makes the state dict of the layer.

    Raises:
        ValueError: for a circuit that no layer of PyTorch computes.

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=3, num_units=4, num_outputs=1, dynamics=LSTM())
        >>> layer = to_torch(circuit, circuit.init(key=jax.random.key(0)))
        >>> {name: array.shape for name, array in layer.items()}
        {'weight_ih_l0': (16, 3), 'weight_hh_l0': (16, 4), 'bias_ih_l0': (16,), 'bias_hh_l0': (16,)}
    """
    if circuit.output_feedback:
        raise ValueError(
            "to_torch: a layer of PyTorch has no output that is fed back into it; use a circuit with "
            "output_feedback=False."
        )
    kind, weights = _kind_of(circuit), circuit.weights(params)
    gates, units = list(LAYOUTS[kind].gates), circuit.num_units
    of_input, of_units, bias = (np.asarray(each) for each in (weights.input, weights.recurrent, weights.bias))
    bias = bias.reshape(-1, units)
    bias_in, bias_units = bias, np.zeros_like(bias)
    if kind == "gru":
        bias_in, bias_units = bias[[0, 1, 3]], np.concatenate([bias_units[:2], bias[2:3]])
    ours = (of_input, of_units, bias_in, bias_units)
    layer = {}
    for name, each in zip((*WEIGHTS, *BIASES), ours, strict=True):
        inner = each.shape[-1:] if name in WEIGHTS else ()
        layer[name] = each.reshape(len(gates), units, *inner)[gates].reshape(-1, *inner)
    return layer


def _array(value: Any) -> np.ndarray:
    """A NumPy array of an array or a tensor, wherever it lives."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value)


def _refuse_names(arrays: Mapping[str, np.ndarray]) -> None:
    names = set(arrays)
    for name in sorted(names - {*WEIGHTS, *BIASES}):
        raise ValueError(f"from_torch: {name!r}: {_reason(name)}.")
    missing = [name for name in WEIGHTS if name not in names]
    if missing:
        raise ValueError(f"from_torch: {' and '.join(missing)} is missing; got {sorted(names)}.")


def _reason(name: str) -> str:
    """Why an array is none of a layer with one level and one direction, and what to do."""
    if name.endswith("_reverse"):
        return "the layer is bidirectional, and time has one direction here; use a layer of one direction"
    if name.startswith("weight_hr"):
        return "the layer projects its output; use a layer with proj_size=0"
    if name.startswith(("weight_", "bias_")):
        return "a layer of one level has names that end in _l0; convert one level at a time under such names"
    return f"no array of a layer, which are {', '.join((*WEIGHTS, *BIASES))}; pass layer.state_dict()"


def _kind(arrays: Mapping[str, np.ndarray], given: str | None) -> tuple[str, int]:
    """Kind of a layer, and its number of units."""
    if given is not None and given not in LAYOUTS:
        raise ValueError(f"from_torch: kind {given!r} is not known; use one of {', '.join(LAYOUTS)}.")
    shape = arrays["weight_hh_l0"].shape
    rows, units = shape if len(shape) == 2 and shape[1] else (0, 1)
    found = [kind for kind, layout in LAYOUTS.items() if rows == len(layout.gates) * units]
    if not found:
        raise ValueError(
            f"from_torch: weight_hh_l0 has shape {shape}; expected 4 (LSTM), 3 (GRU) or 1 (RNN) rows per "
            "unit and one column per unit."
        )
    if given is None and len(found) > 1:
        raise ValueError(
            "from_torch: the weights of an nn.RNN do not tell its nonlinearity; give kind='rnn-tanh' or "
            "'rnn-relu'."
        )
    if given is not None and given not in found:
        raise ValueError(
            f"from_torch: weight_hh_l0 has shape {shape}, that of a {found[0]}, not of {given!r}."
        )
    return given or found[0], units


def _dynamics(kind: str, dt: float) -> Dynamics:
    if kind in ("lstm", "gru"):
        return LSTM() if kind == "lstm" else GRU()
    return Leaky(tau=float(dt), activation=kind.removeprefix("rnn-"), form="rate")


def _kind_of(circuit: Circuit) -> str:
    """Which layer of PyTorch computes what a circuit does."""
    dynamics = circuit.dynamics
    if type(dynamics) is LSTM:
        return "lstm"
    if type(dynamics) is GRU and dynamics.reset == "after":
        return "gru"
    free = isinstance(dynamics, Leaky) and dynamics.tau_range is None and dynamics.held_rates is None
    if type(dynamics) is Leaky and dynamics.form == "rate" and free:
        name = f"rnn-{dynamics.activation}"
        if name in LAYOUTS and np.all(np.asarray(dynamics.tau) == circuit.dt):
            return name
    raise ValueError(
        f"to_torch: no layer of PyTorch computes {dynamics}; those it has are LSTM(), GRU(reset='after') and "
        f"Leaky(form='rate', activation='tanh' or 'relu') with tau equal to dt, {circuit.dt:g} ms."
    )
