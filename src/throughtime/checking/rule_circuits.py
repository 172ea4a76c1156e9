"""Which circuits a learning rule takes, and which it refuses with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

from throughtime.checking import settings
from throughtime.checking.report import Failed, expect
from throughtime.checking.rule_subject import INIT_KEY, KEY, Subject

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.rules import Rule


def circuits(subject: Subject) -> str:
    """Every kind of circuit is taken, with a gradient of its parameters, or refused with a reason."""
    refused: list[str] = []
    known = settings.kinds_of_circuits()
    for name, circuit in known.items():
        if not takes(subject.rule, circuit, name):
            refused.append(name)
    told = f"; refuses {', '.join(refused)}" if refused else ""
    return f"takes {len(known) - len(refused)} of {len(known)} kinds{told}"


def takes(rule: Rule, circuit: Circuit, name: str = "this circuit") -> bool:
    """Whether a rule takes a circuit; it is traced and not run.

    Raises:
        Failed: for a refusal without reason, another error than a ValueError, or a gradient of other shapes.
    """
    params = settings.params_of(circuit)
    trials = settings.trials_of(circuit, rule.traits.batch_size or 2, num_steps=4)
    try:
        state = rule.init(circuit, params, key=jax.random.key(INIT_KEY))
        grads = jax.eval_shape(
            lambda params, state, trials: rule.gradient(
                circuit, params, state, trials, settings.OBJECTIVE, key=jax.random.key(KEY)
            )[0],
            params,
            state,
            trials,
        )
    except ValueError as error:
        if len(str(error)) < 20:
            raise Failed(
                f"expected a circuit with {name} to be taken or refused with a reason; found "
                f"ValueError({str(error)!r}); say what is missing and what to do."
            ) from error
        if "broadcast" in str(error) or "shapes" in str(error):
            raise Failed(
                f"expected a circuit with {name} to be taken or refused with a reason; found an error of "
                f"shapes ({str(error)[:120]}); raise a ValueError that says what is missing and what to do."
            ) from error
        return False
    except Exception as error:
        raise Failed(
            f"expected a circuit with {name} to be taken or refused with a ValueError; found "
            f"{type(error).__name__} ({str(error)[:160]}); say what is missing and what to do."
        ) from error
    wanted = {key: value.shape for key, value in params.items()}
    found = {key: value.shape for key, value in grads.items()}
    expect(
        found == wanted,
        expected=f"gradients {wanted} for a circuit with {name}",
        found=f"{found}",
        remedy="pull gradients by effective weights back with throughtime.credit.adjoint.pull_back",
    )
    return True
