"""A rule under check, and what is measured of it once for all checks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.checking import settings
from throughtime.checking.arrays import norm
from throughtime.checking.report import expect
from throughtime.rules import Rule, Traits
from throughtime.rules.base import EVERYTHING

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.trial import Trial

KEY, OTHER_KEY, INIT_KEY = 7, 8, 3
WARM_UP = 120


class Subject:
    """A rule with everything the checks measure of it, each computed once.

    Args:
        rule: the rule; circuit: what it is tried on, a small noisy circuit by default.
    """

    def __init__(self, rule: Rule, circuit: Circuit | None = None) -> None:
        self.rule = rule
        self.circuit = settings.noisy_circuit() if circuit is None else circuit
        self.traced = 0
        self._params: Any = None

    @property
    def traits(self) -> Traits:
        """What the rule declares."""
        traits = self.rule.traits
        expect(
            isinstance(traits, Traits),
            expected="traits to be a throughtime.rules.Traits",
            found=type(traits).__name__,
            remedy="return Traits(exact=…, online=…, stochastic=…, displacement=…, signals=(…))",
        )
        return traits

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        """Parameters of the circuit, float64."""
        return settings.params_of(self.circuit)

    @functools.cached_property
    def trials(self) -> Trial:
        """A batch of unequal lengths, as many trials as the rule takes."""
        count = self.traits.batch_size or settings.TRIALS
        return settings.trials_of(self.circuit, count)

    @functools.cached_property
    def other_trials(self) -> Trial:
        """The batch with another first trial."""
        another = settings.trials_of(self.circuit, len(self.trials.valid), seed=1)
        return jax.tree.map(lambda one, two: one.at[0].set(two[0]), self.trials, another)

    def compiled(self) -> Any:
        """``gradient(params, state, trials, key)``, traced anew for every new compilation."""

        def compute(params: Any, state: Any, trials: Trial, key: Any) -> Any:
            self.traced += 1
            return self.rule.gradient(self.circuit, params, state, trials, settings.OBJECTIVE, key=key)

        return jax.jit(compute)

    @functools.cached_property
    def gradient(self) -> Any:
        """The compiled gradient that all checks share."""
        return self.compiled()

    @functools.cached_property
    def first_state(self) -> dict[str, Any]:
        """State of the rule from ``init``, in the dtype of the parameters."""
        state = self.rule.init(self.circuit, self.params, key=jax.random.key(INIT_KEY))
        flat = isinstance(state, dict) and all(hasattr(leaf, "dtype") for leaf in state.values())
        expect(
            flat,
            expected="init to return a flat dict of arrays",
            found=f"{type(state).__name__} {list(state) if isinstance(state, dict) else ''}".strip(),
            remedy="return {name: array, …}, {} for a rule that keeps nothing",
        )
        return state

    @functools.cached_property
    def live(self) -> tuple[dict[str, Any], Any]:
        """The rule's state once it has seen what it waits for (a mean of the loss, say), and the results."""
        state = self.first_state
        for update in range(WARM_UP):
            found = self.gradient(self.params, state, self.trials, jax.random.key(KEY + update))
            self.shaped(found)
            if norm(found[0]) > 0:
                break
            state = found[1]
        return state, self.gradient(self.params, state, self.trials, jax.random.key(KEY))

    @property
    def state(self) -> dict[str, Any]:
        """The state of :attr:`live`."""
        return self.live[0]

    @property
    def grads(self) -> dict[str, Any]:
        """The gradient of the batch."""
        grads: dict[str, Any] = self.live[1][0]
        return grads

    def shaped(self, found: Any) -> None:
        """Refuse what is no (gradient, state, info) of this circuit.

        Raises:
            Failed: naming the part that is not.
        """
        expect(
            isinstance(found, tuple) and len(found) == 3,
            expected="gradient to return (grads, state, info)",
            found=type(found).__name__,
            remedy="return all three",
        )
        grads, state, _ = found
        for name, value in self.params.items():
            expect(
                name in grads and jnp.shape(grads[name]) == value.shape,
                expected=f"a gradient of {name!r} of shape {value.shape}",
                found=str(jnp.shape(grads[name])) if name in grads else "none",
                remedy="give every parameter one; zeros for a parameter the rule does not train",
            )
            expect(
                np.isfinite(np.asarray(grads[name])).all(),
                expected=f"finite numbers in the gradient of {name!r}",
                found="NaN or infinity",
                remedy="look for a division by zero",
            )
        extra = set(grads) - set(self.params)
        expect(
            not extra,
            expected=f"gradients of {', '.join(self.params)}",
            found=f"also {', '.join(sorted(extra))}",
            remedy="leave out what is no parameter",
        )
        shape = {name: (leaf.shape, leaf.dtype) for name, leaf in state.items()}
        before = {name: (leaf.shape, leaf.dtype) for name, leaf in self.first_state.items()}
        expect(
            shape == before,
            expected=f"a state like that from init, {before}",
            found=f"{shape}",
            remedy="keep names, shapes and dtypes, so that a second call compiles no second time",
        )

    @functools.cached_property
    def reference(self) -> tuple[Any, dict[str, Any]]:
        """(trial,) losses of the batch and central differences of their mean."""
        return settings.differences(self.circuit, self.params, self.trials)

    @property
    def trained(self) -> tuple[str, ...]:
        """Parameters of the circuit the rule says it trains."""
        wanted = self.traits.trained
        names = tuple(self.params) if wanted == EVERYTHING else wanted
        return tuple(name for name in self.params if name in names)
