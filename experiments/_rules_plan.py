"""What the study of rules on tasks declares: arms, ladders of tasks, circuits, training, and its parts.

Each part is a ``throughtime.Study`` with a folder of its own. The two pilots come first; what they find
(which rungs of a ladder BPTT climbs and a readout alone does not, the range of step sizes of every arm,
levels of the loss) is read from their record by the parts that follow; nothing of it is written by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import throughtime as tt
from throughtime.circuits import Dale, Dense, Leaky
from throughtime.results import labels
from throughtime.tasks import Uniform

NAME = "rules_on_tasks"
GAIN, TAU, NOISE, NUM_UNITS = 1.2, 200.0, 0.05, 64
NUM_UPDATES, BATCH = 2000, 32
READOUT_STEP = 0.03
PILOT_SEEDS, TUNING_SEEDS = (20_000, 20_001), (10_000, 10_001)
PILOT_STEPS = (0.003, 0.01, 0.03, 0.1)
PILOT_KEPT = (200, 800)
"""Updates at which e-prop is aligned with the gradient, along the way that BPTT goes."""
STEPS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Step sizes tried for every arm in the second pilot: as many for each, its constants included."""
NUM_LEVELS = 4
"""Losses at which circuits are compared beside the end of training."""


@dataclass(frozen=True)
class Ladder:
    """One task, at settings that ask for longer and longer memory.

    Attributes:
        name: of the task; kind: what it asks for.
        field: what changes from rung to rung; rungs: label -> its value, from easy to hard.
        reach: label -> ms that a rung asks a circuit to bridge.
        dt: ms.
    """

    name: str
    kind: str
    field: str
    rungs: Mapping[str, Any]
    reach: Mapping[str, float]
    dt: float = 50.0

    def task(self, rung: str) -> Any:
        """The task on one rung."""
        return tt.tasks.make(self.name, dt=self.dt, **{self.field: self.rungs[rung]})


def _delays(name: str, kind: str, delays: Mapping[str, Any]) -> Ladder:
    reach = {rung: one.high if isinstance(one, Uniform) else one for rung, one in delays.items()}
    return Ladder(name, kind, "delay", delays, reach)


LADDERS = {
    "match": _delays(
        "delayed-match-to-sample", "working memory",
        {str(high): Uniform(500.0, float(high)) for high in (1000, 2000, 3000, 4000)},
    ),
    "estimation": _delays(
        "delayed-estimation", "working memory",
        {str(delay): float(delay) for delay in (500, 1000, 1500, 2000)},
    ),
    "go-no-go": _delays(
        "go-no-go", "working memory",
        {str(delay): float(delay) for delay in (500, 1000, 1500, 2000, 3000, 4000)},
    ),
    "evidence": _delays(
        "evidence-accumulation", "decision",
        {str(delay): float(delay) for delay in (500, 750, 1050, 1500, 2000, 2500)},
    ),
    "cue-set-go": Ladder(
        "cue-set-go", "timing", "interval",
        {"1100": Uniform(700.0, 1100.0), "1400": Uniform(400.0, 1400.0), "2800": Uniform(400.0, 2800.0)},
        {"1100": 1100.0, "1400": 1400.0, "2800": 2800.0},
        dt=40.0,
    ),
    "ready-set-go": Ladder(
        "ready-set-go", "timing", "prior",
        {"short": "short", "long": "long", "mixed": "mixed"},
        {"short": 800.0, "long": 1200.0, "mixed": 1200.0},
        dt=40.0,
    ),
}  # fmt: skip


def arms(mu: float = 0.25, sigma: float = 0.1, cosine: float = 0.3) -> dict[str, Any]:
    """Rules by label: feedback × transport, and the controls.

    Args:
        mu: of ModProp; sigma: of the noise of node perturbation.
        cosine: at which BPTT is turned; that of e-prop, measured on the way that BPTT goes.
    """
    make = tt.rules.make
    crossed = {
        "none": ("eprop", {}),
        "hop": ("mdgl", {"types": "cell", "kind": "local"}),
        "modprop": ("modprop", {"types": "cell", "kind": "local", "mu": mu}),
        "random": ("random-transport", {}),
    }
    found = {"symmetric-exact": make("bptt"), "random-exact": make("feedback-alignment")}
    for transport, (name, options) in crossed.items():
        for feedback in ("symmetric", "random"):
            found[f"{feedback}-{transport}"] = make(name, feedback=feedback, **options)
    return {
        **found,
        "node-perturbation": make("node-perturbation", readout="delta", baseline="noise-free", sigma=sigma),
        "rotated-bptt": make("rotated-bptt", cosine=cosine),
        "readout-only": make("readout-only"),
    }


BPTT, FLOOR = "symmetric-exact", "readout-only"


def circuit(gain: float = GAIN, tau: float = TAU) -> tt.studies.CircuitPlan:
    """Rectified units under Dale's law, so that cell types exist."""
    return tt.studies.CircuitPlan(
        num_units=NUM_UNITS,
        dynamics=Leaky(tau=tau, activation="relu", form="current"),
        recurrent=Dale(base=Dense(gain=gain)),
        noise=NOISE,
    )


def training(readout: float = READOUT_STEP, **changed: Any) -> dict[str, Any]:
    """Settings of training: no run stops at the criterion, and the readout has a step size of its own."""
    return {
        "num_updates": NUM_UPDATES, "batch_size": BATCH, "optimizer": "momentum", "stop": "budget",
        "clip": tt.training.Clip(1.0, by="block"), "eval_every": 50, "log_every": 50,
        "keep": (100, 200, 400, 800, 1400),
        "step_sizes": {"readout": readout, "readout_bias": readout},
        **changed,
    }  # fmt: skip


def label(ladder: str, rung: str) -> str:
    """Label of a task of the study."""
    return f"{ladder}-{rung}"


def pilot_tasks() -> tt.Study:
    """Which rungs BPTT climbs, and which of these a readout alone climbs too."""
    options = {f"step-{step:g}": {"learning_rate": step} for step in PILOT_STEPS}
    return tt.Study(
        f"{NAME}-pilot-tasks",
        tasks={label(name, rung): one.task(rung) for name, one in LADDERS.items() for rung in one.rungs},
        circuits={"base": circuit()},
        rules={name: arms()[name] for name in (BPTT, FLOOR)},
        options=options,
        seeds=PILOT_SEEDS,
        training=training(keep=PILOT_KEPT),
        test_trials=0,
        left_out=[{"rule": FLOOR, "option": name} for name in list(options)[1:]],
    )


def demanding(pilot: xr.DataTree) -> dict[str, tuple[str, ...]]:
    """Rungs of each ladder that BPTT climbs with half of the pilot seeds or more, a readout alone with none.

    BPTT at some step size. The three hardest of them, from hard to easy; a ladder without any is left out.
    """
    outcomes = pilot["outcomes"].to_dataset()
    reached = outcomes["criterion_update"].squeeze("circuit").values >= 0  # (task, rule, option, seed)
    rules, tasks = labels(outcomes["rule"]), labels(outcomes["task"])
    climbed = (reached[:, rules.index(BPTT)].mean(-1) >= 0.5).any(-1)
    given = reached[:, rules.index(FLOOR)].any((-1, -2))
    found = {}
    for name, ladder in LADDERS.items():
        places = {rung: tasks.index(label(name, rung)) for rung in ladder.rungs}
        kept = [rung for rung, place in places.items() if climbed[place] and not given[place]]
        if kept:
            found[name] = tuple(reversed(kept[-3:]))
    return found


def loss_levels(pilot: xr.DataTree) -> dict[str, tuple[float, ...]]:
    """Losses, evenly apart on a logarithmic axis, that BPTT passes through on its way, task by task.

    From nine tenths of the loss a readout alone ends with down to twice the loss of the best seed of BPTT.
    """
    curves = pilot["curves"].to_dataset()["loss"].squeeze("circuit")
    rules, found = labels(curves["rule"]), {}
    for place, name in enumerate(labels(curves["task"])):
        one = curves.isel(task=place)
        last = one.isel(rule=rules.index(BPTT), update=slice(-5, None)).mean("update")
        floor = one.isel(rule=rules.index(FLOOR), option=0, update=slice(-5, None)).mean()
        high, low = 0.9 * float(floor), 2.0 * float(last.min())
        if low < high:
            found[name] = tuple(float(level) for level in np.geomspace(high, low, NUM_LEVELS))
    return found


STEP_TASKS = (("cue-set-go", "1400"), ("match", "1000"))


def pilot_steps() -> tt.Study:
    """As many configurations of every arm: six step sizes, or three at each of two constants of its own."""
    usual = arms()
    rules: dict[str, Any] = {name: usual[name] for name in usual if name not in ("rotated-bptt", FLOOR)}
    for feedback in ("symmetric", "random"):
        rules[f"{feedback}-modprop=0.5"] = arms(mu=0.5)[f"{feedback}-modprop"]
    rules["node-perturbation=0.03"] = arms(sigma=0.03)["node-perturbation"]
    options = {f"step-{step:g}": {"learning_rate": step} for step in STEPS}
    halved = [name for name in rules if "modprop" in name or "perturbation" in name]
    every_other = list(options)[::2]
    return tt.Study(
        f"{NAME}-pilot-steps",
        tasks={label(name, rung): LADDERS[name].task(rung) for name, rung in STEP_TASKS},
        circuits={"base": circuit()},
        rules=rules,
        options=options,
        seeds=PILOT_SEEDS,
        training=training(num_updates=NUM_UPDATES // 2, keep=()),
        test_trials=0,
        left_out=[{"rule": name, "option": one} for name in halved for one in every_other],
    )


@dataclass(frozen=True)
class Chosen:
    """What the pilots settle.

    Attributes:
        rungs: ladder -> its rungs, from hard to easy.
        grids: arm -> five step sizes around its best one.
        mu, sigma: constants of ModProp and of node perturbation.
        cosine: of e-prop with the gradient.
    """

    rungs: Mapping[str, tuple[str, ...]]
    grids: Mapping[str, tuple[float, ...]]
    mu: float
    sigma: float
    cosine: float

    def arms(self) -> dict[str, Any]:
        """The arms with these constants."""
        return arms(self.mu, self.sigma, self.cosine)


def best_steps(pilot: xr.DataTree) -> tuple[dict[str, tuple[float, ...]], float, float]:
    """Grid of every arm, five step sizes half a decade apart, and μ and σ.

    The best step size of a task has the lowest final loss, that of a diverged seed being infinite; the middle
    of the grid is the geometric mean over tasks. Of two constants, that with the lower mean logarithm of
    these losses is taken.
    """
    outcomes = pilot["outcomes"].to_dataset().squeeze("circuit")
    loss = outcomes["final_loss"].where(outcomes["diverged_update"] < 0, np.inf).mean("seed")
    middle: dict[str, float] = {}
    reached: dict[str, float] = {}
    for place, name in enumerate(labels(outcomes["rule"])):
        one = loss.isel(rule=place).fillna(np.inf).values  # (task, option)
        middle[name] = float(np.exp(np.log(np.asarray(STEPS)[one.argmin(1)]).mean()))
        reached[name] = float(np.log(one.min(1)).mean())

    def better(name: str, other: str) -> bool:
        return reached[other] < reached[name]

    steps = {name: size for name, size in middle.items() if "=" not in name}
    mu, sigma = 0.25, 0.1
    if better("symmetric-modprop", "symmetric-modprop=0.5"):
        mu = 0.5
        for feedback in ("symmetric", "random"):
            steps[f"{feedback}-modprop"] = middle[f"{feedback}-modprop=0.5"]
    if better("node-perturbation", "node-perturbation=0.03"):
        sigma = 0.03
        steps["node-perturbation"] = middle["node-perturbation=0.03"]
    steps |= {"rotated-bptt": steps[BPTT], FLOOR: steps[BPTT]}
    apart = math.sqrt(10.0)
    grids = {
        name: tuple(float(f"{size * apart**k:.3g}") for k in range(-2, 3)) for name, size in steps.items()
    }
    return grids, mu, sigma


MEASURES: dict[str, Mapping[str, Any]] = {
    "dimensionality": {}, "sharpness": {}, "weight_change": {}, "kernel_alignment": {}, "cka": {},
    "shape_distance": {},
}  # fmt: skip


def part(
    name: str,
    chosen: Chosen,
    tasks: Mapping[str, Any],
    num_seeds: int,
    grids: Mapping[str, tuple[float, ...]] | None = None,
    **changed: Any,
) -> tt.Study:
    """A part with these tasks: the study's settings, but for what is changed.

    Args:
        grids: arm -> step sizes; those that the pilots chose by default.
    """
    settings: dict[str, Any] = {
        "circuits": {"base": circuit()},
        "rules": chosen.arms(),
        "training": training(),
        "measures": MEASURES,
        "test_trials": 64,
        **changed,
    }
    given = chosen.grids if grids is None else grids
    tried = {arm: given[arm] for arm in settings["rules"]}
    half = settings["training"]["num_updates"] // 2
    return tt.Study(
        f"{NAME}-{name}",
        tasks=tasks,
        seeds=num_seeds,
        seeds_per_cell=2,
        tuning=tt.studies.Tuning(grid=tried, seeds=TUNING_SEEDS, num_updates=half),
        **settings,
    )


def tasks_of(chosen: Chosen) -> dict[str, Any]:
    """Tasks of all rungs, by label."""
    return {
        label(name, rung): LADDERS[name].task(rung) for name, rungs in chosen.rungs.items() for rung in rungs
    }


def _rung(chosen: Chosen, place: int) -> dict[str, Any]:
    return {
        label(name, rungs[place]): LADDERS[name].task(rungs[place])
        for name, rungs in chosen.rungs.items()
        if place < len(rungs)
    }


FEW = (BPTT, "symmetric-none", "random-none", "symmetric-modprop", FLOOR)
"""Arms of the parts that vary something else than the rule."""


def _few(chosen: Chosen) -> dict[str, Any]:
    return {name: rule for name, rule in chosen.arms().items() if name in FEW}


def _two(chosen: Chosen) -> dict[str, Any]:
    names = [name for name in ("match", "cue-set-go") if name in chosen.rungs]
    return {label(name, chosen.rungs[name][-1]): LADDERS[name].task(chosen.rungs[name][-1]) for name in names}


def parts(chosen: Chosen, num_seeds: int = 10) -> dict[str, Callable[[], tt.Study]]:
    """Parts after the pilots, in the order in which they answer most."""
    circuits = {
        f"gain={gain:g}_tau={tau:g}": circuit(gain, tau)
        for gain in (0.8, 1.2, 1.5)
        for tau in (50.0, 100.0, 200.0)
    }
    controls = {
        "frozen-readout": {"step_sizes": {"readout": 0.0, "readout_bias": 0.0}},
        "slow-readout": {"step_sizes": {"readout": READOUT_STEP / 10, "readout_bias": READOUT_STEP / 10}},
    }
    adam = {"adam": {"optimizer": "adam", "step_sizes": None}}
    single = {"batch-1": {"batch_size": 1}, "batch-64": {"batch_size": 64}}

    def few(name: str, **changed: Any) -> tt.Study:
        return part(name, chosen, _two(chosen), num_seeds, **({"rules": _few(chosen)} | changed))

    return {
        "hard": lambda: part("hard", chosen, _rung(chosen, 0), num_seeds),
        "middle": lambda: part("middle", chosen, _rung(chosen, 1), num_seeds),
        "easy": lambda: part("easy", chosen, _rung(chosen, 2), num_seeds),
        "initialisation": lambda: few("initialisation", circuits=circuits),
        "readout": lambda: few("readout", options=controls),
        "optimizer": lambda: few("optimizer", options=adam),
        "batch": lambda: few("batch", options=single),
    }
