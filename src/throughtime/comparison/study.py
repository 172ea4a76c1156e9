"""Everything that is the same for all rules of a comparison, and what a rule's traits demand instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from throughtime import api, training
from throughtime.comparison.held_out import held_out_losses
from throughtime.comparison.tuning import Tuned, tune
from throughtime.objectives import SquaredError
from throughtime.results import params_of

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.rules import Rule

MATCHES = ("updates", "trials")
COUNTED = ("num_updates", "eval_every", "log_every")


class Study:
    """What is the same for all rules of a comparison."""

    def __init__(
        self, task: Any, circuit: Any, wishes: dict[str, Any], match: str, folder: Any, progress: bool | None
    ) -> None:
        if folder is not None and not Path(folder).is_dir():
            raise ValueError(f"compare: checkpoint {folder} is no folder; create it first.")
        self.task, self.circuit, self.wishes, self.match = task, circuit, wishes, match
        self.folder = None if folder is None else Path(folder)
        self.progress = progress

    def settings(self, rule: Rule, learning_rate: Any, seeds: tuple[int, ...]) -> dict[str, Any]:
        """Settings of one training."""
        return {**own_settings(rule, self.wishes, self.match), "learning_rate": learning_rate, "seeds": seeds}

    def scale(self, rule: Rule) -> int:
        """How many updates this rule makes for one of the others."""
        return update_factor(rule, self.wishes["batch_size"], self.match)

    def refuse(self, rule: Rule, learning_rate: Any, seeds: tuple[int, ...]) -> None:
        """Refuse what training would: settings, and circuits or objectives that the rule is not made for.

        Raises:
            ValueError: with the rule's reason.
        """
        rate = 1.0 if rule.traits.displacement else learning_rate
        settings = self.settings(rule, rate, seeds)
        training.configuration(self.task, self.circuit, rule, **settings)
        refuse_gradient(self.task, self.circuit, rule, self.objective, settings["batch_size"])

    def tune(
        self, rule: Rule, label: str, sizes: tuple[float, ...], seeds: tuple[int, ...], updates: int | None
    ) -> Tuned:
        """Tries of one rule; only what their final weights do counts."""

        def one(stepped: Rule, learning_rate: Any, seeds: tuple[int, ...], name: str) -> Any:
            settings = self.settings(stepped, learning_rate, seeds)
            settings["num_updates"] = (
                settings["num_updates"] if updates is None else updates * self.scale(stepped)
            )
            dropped = ("init_seeds", "data_seeds", "rule_seeds", "keep")
            settings = {key: value for key, value in settings.items() if key not in dropped}
            settings["stop"] = "budget"
            if settings.get("curriculum") is None:  # whose stages end at evaluations
                settings["eval_every"] = settings["num_updates"]
            record = training.train(
                self.task,
                self.circuit,
                stepped,
                progress=self.progress,
                checkpoint=self.state_file(name),
                **settings,
            )
            final = {name: values[:, -1] for name, values in record.params.items()}
            return self.losses(final, seeds, record.status)

        return tune(one, rule, label, sizes, seeds)

    def run(
        self,
        rule: Rule,
        label: str,
        learning_rate: Any,
        seeds: tuple[int, ...],
        changes: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """The run of one rule as a tree; ``changes`` go before what is the same for all rules."""
        settings = self.settings(rule, learning_rate, seeds) | dict(changes or {})
        state = self.state_file(label)
        return api.train(
            self.task, self.circuit, rule, checkpoint=state, progress=self.progress, **settings, **options
        ).tree

    def final_losses(self, run: xr.DataTree, seeds: tuple[int, ...]) -> np.ndarray:
        """Held-out loss of the final weights of a run, (seed,)."""
        each = [params_of(run, seed) for seed in np.asarray(run["training/seed"]).tolist()]
        final = {name: np.stack([one[name] for one in each]) for name in each[0]}
        wish = self.wishes.get("data_seeds")
        numbers = seeds if wish is None else training.settings.seed_list("data_seeds", wish, len(seeds))
        return self.losses(final, numbers, run["training/status"].values)

    def losses(self, params: dict[str, Any], data_seeds: tuple[int, ...], status: Any) -> np.ndarray:
        """Held-out loss of weights (seed, …); see :func:`throughtime.comparison.held_out.held_out_losses`."""
        return held_out_losses(
            self.task,
            self.circuit,
            self.objective,
            params,
            data_seeds=data_seeds,
            status=status,
            carry_state=self.wishes.get("carry_state", False),
        )

    @property
    def objective(self) -> Any:
        """The objective of all trainings."""
        return self.wishes.get("objective") or SquaredError()

    def refuse_params_by_seed(self) -> None:
        """Refuse initial parameters with an axis seed, which tuning on other seeds cannot use.

        Raises:
            ValueError: naming the first such parameter and the remedies.
        """
        given = self.wishes.get("params")
        if given is None:
            return
        wanted = jax.eval_shape(lambda key: self.circuit.init(key=key), jax.random.key(0))
        for name, like in wanted.items():
            shape = np.shape(given.get(name, like))
            if len(shape) == len(like.shape) + 1:
                raise ValueError(
                    f"compare: tune=True with params[{name!r}] of shape {shape}, one for each seed; step "
                    "sizes are tuned on other seeds, which have none. Give one of shape "
                    f"{like.shape} for all seeds, or tune=False."
                )

    def state_file(self, name: str) -> Path | None:
        """File for the state of one training."""
        return None if self.folder is None else self.folder / f"{name}.npz"


def refuse_gradient(task: Any, circuit: Any, rule: Rule, objective: Any, batch_size: int) -> None:
    """Refuse what the rule refuses, by tracing one update without running it.

    Raises:
        ValueError: with the rule's reason.
    """

    def once(key: Any) -> Any:
        params = circuit.init(key=key)
        state = rule.init(circuit, params, key=key)
        trials = jax.vmap(task.trial)(jax.random.split(key, batch_size))
        return rule.gradient(circuit, params, state, trials, objective, key=key)[0]

    jax.eval_shape(once, jax.random.key(0))


def update_factor(rule: Rule, batch_size: int, match: str) -> int:
    """Updates a rule makes for one of a rule with the common batch size."""
    own = rule.traits.batch_size
    return max(1, batch_size // own) if match == "trials" and own is not None else 1


def own_settings(rule: Rule, wishes: dict[str, Any], match: str) -> dict[str, Any]:
    """Settings as the rule's traits demand them.

    Raises:
        ValueError: for an unknown ``match``.
    """
    if match not in MATCHES:
        raise ValueError(f"compare: match {match!r} is not known; use 'updates' or 'trials'.")
    settings = dict(wishes)
    factor = update_factor(rule, training.settings.count("batch_size", settings["batch_size"]), match)
    if rule.traits.batch_size is not None:
        settings["batch_size"] = rule.traits.batch_size
    if factor > 1:
        usual = {"eval_every": 100, "log_every": 20} | settings
        settings |= {name: factor * training.settings.count(name, usual[name]) for name in COUNTED}
        if "keep" in settings:
            settings["keep"] = tuple(factor * update for update in settings["keep"])
    if rule.traits.displacement:
        settings |= {"optimizer": "sgd", "clip": None, "learning_rate": 1.0, "step_sizes": None}
    return settings
