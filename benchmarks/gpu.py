"""Ensembles on an accelerator: ``python benchmarks/gpu.py --out gpu.json``.

One update (BPTT gradient and adam) of an ensemble of circuits batched by ``vmap``, as a multiple of the time
of its bare batched matrix products, and per seed against a Python loop that dispatches one jitted step at a
time. Needs JAX and optax; the package is read from ``src/`` beside this folder where it is not installed.
Without an accelerator it runs on the CPU, where ensembles are better mapped than batched: try ``--quick``.

Ensembles whose states do not fit the device keep segments of trials in memory, and those that still do not
fit are left out; both is written down. The gradient is compared with that of the eager loop before anything
is timed, in full float32; what is timed has the device's default precision of matrix products.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

try:
    import throughtime
except ModuleNotFoundError:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
    import throughtime

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
import optax

from throughtime.circuits import Circuit, Dense
from throughtime.credit import tiles
from throughtime.credit.batch import segment_length
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT
from throughtime.trial import Trial

Run = Callable[[], Any]
UNITS, SEEDS = (64, 128, 256, 512), (1, 8, 64, 512)
INPUTS, OUTPUTS, LEARNING_RATE, TOLERANCE = 3, 2, 1e-3, 1e-4
SPARE = 0.85  # share of the device's memory that a program may plan to use


@dataclass(frozen=True)
class Sizes:
    """One ensemble: circuits, their units, trials of a batch, steps of a trial."""

    num_seeds: int
    num_units: int
    num_trials: int
    num_steps: int

    @property
    def circuit(self) -> Circuit:
        """Leaky tanh units, alpha 0.2."""
        return Circuit(INPUTS, self.num_units, OUTPUTS, recurrent=Dense(gain=1.0))


def draw(sizes: Sizes, seed: int = 0) -> tuple[dict[str, Any], Trial]:
    """Parameters and batches of all seeds, leaves (seed, …): random weights, inputs, targets and masks."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda key: sizes.circuit.init(key=key), jax.random.key(0))
    params = {}
    for name, shape in shapes.items():
        scale = 0.0 if name.endswith("bias") else shape.shape[-1] ** -0.5
        params[name] = scale * rng.standard_normal((sizes.num_seeds, *shape.shape), np.float32)
    shape = (sizes.num_seeds, sizes.num_trials, sizes.num_steps)
    inputs, steps = (rng.standard_normal((*shape, size), np.float32) for size in (INPUTS, OUTPUTS))
    mask = (rng.random((*shape, OUTPUTS), np.float32) < 0.5).astype(np.float32)
    mask[:, :, -1] = 1.0
    trials = Trial(inputs, np.sin(steps.cumsum(2) / 4), mask, np.ones(shape, bool), {}, {})
    return jax.device_put((params, trials))


def gradient(circuit: Circuit, segment: Any, params: Any, trials: Trial) -> Any:
    """The library's own gradient for one seed."""
    return BPTT(segment=segment).gradient(circuit, params, {}, trials, SquaredError(), key=jax.random.key(0))[
        0
    ]


def ensemble(sizes: Sizes, segment: Any, params: Any, trials: Trial) -> tuple[Run, float | None]:
    """``() -> parameters`` after one more update of all seeds, and the bytes XLA plans for it.

    Raises:
        jax.errors.JaxRuntimeError: where the device has too little memory.
    """
    optimizer, circuit = optax.adam(LEARNING_RATE), sizes.circuit

    def update(params: Any, state: Any, trials: Trial) -> Any:
        moves, state = optimizer.update(gradient(circuit, segment, params, trials), state)
        return optax.apply_updates(params, moves), state

    state = jax.jit(jax.vmap(optimizer.init))(params)
    compiled = jax.jit(jax.vmap(update), donate_argnums=(0, 1)).lower(params, state, trials).compile()
    now = [jax.tree.map(jnp.copy, params), state]  # donated: the caller's parameters stay

    def run() -> Any:
        now[:] = compiled(*now, trials)
        return jax.block_until_ready(now[0])

    return run, planned(compiled)


def planned(compiled: Any) -> float | None:
    """Bytes a compiled program needs, arguments and results included; None where the backend does not say."""
    plan = compiled.memory_analysis()
    if plan is None:
        return None
    arrays = plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
    return float(arrays + plan.temp_size_in_bytes)


def bare(sizes: Sizes, segment: Any, weights: Any) -> Run:
    """The batched products of one update: forward and back step by step, then one over all steps.

    With segments, as many steps at a time as a segment has; their forward product is made twice.
    """
    block = segment_length(segment, sizes.num_steps) or sizes.num_steps
    count, forwards = -(-sizes.num_steps // block), 1 if segment is None else 2
    shape = (sizes.num_seeds, sizes.num_trials, sizes.num_units)

    @jax.jit
    def products(weights: Any, rates: Any, credits: Any) -> Any:
        def forward(rate: Any, _: None) -> Any:
            return jnp.einsum("sbj,sij->sbi", rate, weights), None

        def back(credit: Any, _: None) -> Any:
            return jnp.einsum("sbi,sij->sbj", credit, weights), None

        def one(carry: Any, _: None) -> Any:
            rate, credit, total = carry
            rate, _ = jax.lax.scan(forward, rate, None, length=forwards * block)
            credit, _ = jax.lax.scan(back, credit, None, length=block)
            # the sum depends on the carry, so no compiler makes it once and adds it often
            rows = credits + 0 * credit[0, 0, 0]
            return (rate, credit, total + jnp.einsum("stbi,stbj->sij", rows, rates)), None

        start = (rates[:, 0], credits[:, 0], jnp.zeros_like(weights))
        if count == 1:
            return one(start, None)[0]
        return jax.lax.scan(one, start, None, length=count)[0]

    many = (shape[0], block, *shape[1:])

    @jax.jit
    def waves(pitch: float) -> Any:
        axes = (jax.lax.broadcasted_iota(jnp.float32, many, axis) for axis in range(len(many)))
        return jnp.sin(sum(pitch ** (1 + place) * axis for place, axis in enumerate(axes)))

    rates, credits = waves(1.1), waves(1.3)
    return lambda: jax.block_until_ready(products(weights, rates, credits))


def eager(sizes: Sizes, params: Any, trials: Trial) -> tuple[Run, Callable[[], Any]]:
    """One update of one seed by an eager loop: ``() -> parameters``, and ``() -> gradient``.

    What comes before and after the loop is jitted, and so is one step; the loop is Python's, and ``jax.grad``
    goes through it.
    """
    optimizer, alpha = optax.adam(LEARNING_RATE), sizes.circuit.dt / float(sizes.circuit.dynamics.tau)
    inputs, targets, mask = (jnp.swapaxes(leaf, 0, 1) for leaf in trials[:3])
    zero = jnp.zeros((sizes.num_trials, sizes.num_units))

    @jax.jit
    def project(p: Any) -> list[Any]:
        return list(inputs @ p["input"].T + p["bias"])

    @jax.jit
    def step(weights: Any, state: Any, rate: Any, drive: Any) -> Any:
        state = (1 - alpha) * state + alpha * (drive + rate @ weights.T)
        return state, jnp.tanh(state)

    @jax.jit
    def judge(p: Any, rates: list[Any]) -> Any:
        outputs = jnp.stack(rates) @ p["readout"].T + p["readout_bias"]
        return jnp.mean(jnp.sum(mask * (outputs - targets) ** 2, (0, 2)) / jnp.sum(mask, (0, 2)))

    def loss(p: Any) -> Any:
        state, rate, rates = zero, zero, []
        for drive in project(p):
            state, rate = step(p["recurrent"], state, rate, drive)
            rates.append(rate)
        return judge(p, rates)

    @jax.jit
    def move(grads: Any, state: Any, params: Any) -> Any:
        moves, state = optimizer.update(grads, state)
        return optax.apply_updates(params, moves), state

    now = [params, optimizer.init(params)]

    def run() -> Any:
        now[:] = move(jax.grad(loss)(now[0]), now[1], now[0])
        return jax.block_until_ready(now[0])

    return run, lambda: jax.grad(loss)(params)


def first(tree: Any) -> Any:
    """Leaves of the first seed."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


def check() -> float:
    """Largest relative difference between the batched gradient and the eager one, over arrays and segments.

    Raises:
        RuntimeError: where it is above the tolerance.
    """
    sizes = Sizes(2, 16, 4, 12)
    with jax.default_matmul_precision("highest"):
        params, trials = draw(sizes)
        wanted = eager(sizes, first(params), first(trials))[1]()
        worst = 0.0
        for segment in (None, "sqrt"):
            found = first(jax.jit(jax.vmap(partial(gradient, sizes.circuit, segment)))(params, trials))
            for name, value in wanted.items():
                worst = max(worst, float(jnp.linalg.norm(found[name] - value) / jnp.linalg.norm(value)))
    if not worst <= TOLERANCE:
        raise RuntimeError(f"the gradient is off the eager loop's by {worst:.1e} > {TOLERANCE:g}")
    return worst


def seconds(run: Run, repeats: int) -> float:
    """Median time of a run, the first one not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def device_memory() -> dict[str, int]:
    """Bytes of the device: ``limit``, and ``peak`` since the process began; empty where it does not say."""
    stats = jax.devices()[0].memory_stats() or {}
    names = {"limit": "bytes_limit", "peak": "peak_bytes_in_use"}
    return {name: stats[key] for name, key in names.items() if key in stats}


def measure(sizes: Sizes, eager_seconds: float, repeats: int) -> dict[str, Any]:
    """One row: seconds, ratios and memory, or the reason why there are none."""
    limit = device_memory().get("limit", float("inf"))
    row: dict[str, Any] = {}
    for segment in (None, "sqrt"):
        row = {**asdict(sizes), "segment": segment, "note": ""}
        try:
            params, trials = draw(sizes)
            run, need = ensemble(sizes, segment, params, trials)
            row["planned_bytes"] = need
            if need is not None and need > SPARE * limit:
                row["note"] = f"left out: needs {need / 1e9:.1f} GB of {limit / 1e9:.1f}"
                continue
            update = seconds(run, repeats)
            del run
            products = seconds(bare(sizes, segment, params["recurrent"]), repeats)
        except jax.errors.JaxRuntimeError as problem:
            row["note"] = f"left out: {str(problem).splitlines()[0]}"
            continue
        return {
            **row,
            "update_seconds": update,
            "seed_update_seconds": update / sizes.num_seeds,
            "products_seconds": products,
            "ratio_to_products": update / products,
            "eager_seconds": eager_seconds,
            "eager_ratio": eager_seconds * sizes.num_seeds / update,
            "peak_bytes_so_far": device_memory().get("peak"),
        }
    return row


COLUMNS = "{:>6}{:>7}  {:<8}{:>12}{:>13}{:>18}{:>12}{:>12}  {}"
HEADER = COLUMNS.format(
    "units",
    "seeds",
    "segment",
    "ms / update",
    "/ products",
    "us / seed-update",
    "eager / it",
    "planned MB",
    "",
)


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    head = (row["num_units"], row["num_seeds"], row["segment"] or "none")
    if "update_seconds" not in row:
        return COLUMNS.format(*head, "", "", "", "", "", row["note"])
    need = row["planned_bytes"]
    return COLUMNS.format(
        *head,
        f"{1e3 * row['update_seconds']:.2f}",
        f"{row['ratio_to_products']:.2f}",
        f"{1e6 * row['seed_update_seconds']:.1f}",
        f"{row['eager_ratio']:.1f}",
        "" if need is None else f"{need / 1e6:.0f}",
        row["note"],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all ensembles, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(
        prog="gpu.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--units", type=int, nargs="+", help=f"default {UNITS}")
    parser.add_argument("--seeds", type=int, nargs="+", help=f"default {SEEDS}")
    parser.add_argument("--trials", type=int, help="trials of a batch (64)")
    parser.add_argument("--steps", type=int, help="steps of a trial (150)")
    parser.add_argument("--repeats", type=int, help="timed runs of each (10)")
    parser.add_argument("--out", type=Path, help="write the rows to this JSON file")
    options = parser.parse_args(arguments)
    defaults = ((8,), (1, 3), 4, 10, 2) if options.quick else (UNITS, SEEDS, 64, 150, 10)
    given = (options.units, options.seeds, options.trials, options.steps, options.repeats)
    units, seeds, trials, steps, repeats = (
        one or default for one, default in zip(given, defaults, strict=True)
    )
    device = jax.devices()[0]
    facts = {
        "device_kind": device.device_kind,
        "platform": device.platform,
        "memory_limit_bytes": device_memory().get("limit"),
        "tiles": tiles.tile_shape(trials)[0],
        "matmul_precision": str(jax.config.jax_default_matmul_precision or "default"),
        "quick": options.quick,
        "repeats": repeats,
        "versions": {
            "python": platform.python_version(),
            "throughtime": throughtime.__version__,
            **{module.__name__: module.__version__ for module in (jax, jaxlib, np, optax)},
        },
    }
    print(f"{device.device_kind} ({device.platform}), {facts['tiles']} tiles of a batch of {trials}")
    print(", ".join(f"{name} {version}" for name, version in facts["versions"].items()))
    facts["gradient_error"] = check()
    print(f"check: relative error of the gradient against the eager loop {facts['gradient_error']:.0e}\n")
    print(HEADER)
    rows = []
    for num_units in units:
        alone = Sizes(1, num_units, trials, steps)
        one = (first(leaves) for leaves in draw(alone))
        eager_seconds = seconds(eager(alone, *one)[0], max(2, repeats // 3))
        for num_seeds in seeds:
            rows.append(measure(Sizes(num_seeds, num_units, trials, steps), eager_seconds, repeats))
            print(line(rows[-1]), flush=True)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
        print(f"written: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
