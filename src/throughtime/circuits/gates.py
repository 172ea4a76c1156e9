"""Drives of a neuron with several gates, kept as one array a gate.

A dynamics sees an array (gate, unit). Between the synapses and the dynamics, and on the way back, each gate
is an array of its own: the derivative of indexing one gate out of a joint array would be a sum of padded
arrays, computed element by element, which costs several times the matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array


@jax.tree_util.register_pytree_node_class
class Gates:
    """One array for each gate, all of one shape (…, unit); stands for an array (gate, …, unit).

    ``gates[0]`` is the first gate's array; whatever else is asked of it, it becomes the joint array first.

    Example:
        >>> import jax.numpy as jnp
        >>> gates = Gates((jnp.zeros(3), jnp.ones(3)))
        >>> first, second = gates
        >>> float(second.sum()), jnp.asarray(gates).shape, (gates[:1] + 1).shape
        (3.0, (2, 3), (1, 3))
    """

    def __init__(self, each: tuple[Array, ...]) -> None:
        self.each = each

    def tree_flatten(self) -> tuple[tuple[Array, ...], None]:
        """Its arrays are its leaves."""
        return self.each, None

    @classmethod
    def tree_unflatten(cls, _: None, each: tuple[Array, ...]) -> Gates:
        """From its leaves."""
        return cls(tuple(each))

    def __jax_array__(self) -> Array:
        return jnp.stack(self.each)

    def __getitem__(self, index: Any) -> Array:
        return self.each[index] if isinstance(index, int) else jnp.stack(self.each)[index]

    def __iter__(self) -> Iterator[Array]:
        return iter(self.each)

    def __len__(self) -> int:
        return len(self.each)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "each":
            raise AttributeError(name)
        return getattr(jnp.stack(self.each), name)


def _operator(name: str) -> Any:
    def apply(self: Gates, *others: Any) -> Array:
        return getattr(jnp.stack(self.each), name)(*others)

    return apply


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "matmul", "neg"):
    setattr(Gates, f"__{_name}__", _operator(f"__{_name}__"))


class Joined(NamedTuple):
    """Credit of several drives, the recurrent ones side by side: one product and one store a step.

    Attributes:
        fed: (…, recurrent gate · unit), drives that recurrent synapses feed.
        others: (…, unit) each, the other drives in their order.
    """

    fed: Array
    others: tuple[Array, ...]


def join(credit: Any, recurrent_drives: tuple[int, ...]) -> Any:
    """Credit of :class:`Gates` as :class:`Joined`; that of a single drive as it is."""
    if not isinstance(credit, Gates):
        return credit
    others = [each for gate, each in enumerate(credit.each) if gate not in recurrent_drives]
    return Joined(jnp.concatenate([credit.each[gate] for gate in recurrent_drives], axis=-1), tuple(others))


def of_gates(made: Any, recurrent_drives: tuple[int, ...], num_drives: int) -> list[Array]:
    """What was made of :class:`Joined` arrays, (gate · unit, …) and (unit, …), for each drive."""
    each = iter(jnp.split(made.fed, len(recurrent_drives)))
    fed = {gate: next(each) for gate in recurrent_drives}
    rest = iter(made.others)
    return [fed[gate] if gate in fed else next(rest) for gate in range(num_drives)]


def by_drive(credit: Joined, recurrent_drives: tuple[int, ...], num_drives: int) -> list[Array]:
    """:class:`Joined` credit as one array (…, unit) for each drive."""
    each = iter(jnp.split(credit.fed, len(recurrent_drives), axis=-1))
    fed = {gate: next(each) for gate in recurrent_drives}
    rest = iter(credit.others)
    return [fed[gate] if gate in fed else next(rest) for gate in range(num_drives)]


def split(values: Array, num_drives: int) -> Any:
    """``values`` ([gate,] unit) as a drive: itself with one gate, :class:`Gates` with several."""
    return values if num_drives == 1 else Gates(tuple(values[gate] for gate in range(num_drives)))


def joint(drive: Any) -> Array:
    """The inverse of :func:`split`, for leaves (unit,)."""
    return jnp.stack(drive.each) if isinstance(drive, Gates) else drive


def add(one: Any, other: Any) -> Any:
    """Sum of two drives, gate by gate."""
    return jax.tree.map(jnp.add, one, other)
