"""How each kind of circuit of the study of learned dynamics is trained and taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import xarray as xr
from _task_settings import declare

import throughtime as tt
from throughtime.measures import Material
from throughtime.results import Run
from throughtime.results.flags import flag_attributes

ROUNDING = 1e-6
MAX_POINTS = 32
PLAIN = {"units": "1"}


def measure(declared: dict[str, Any]) -> xr.Dataset:
    """One seed's circuit of a task, trained and taken apart."""
    kind, seed = declared["task"], declared["seed"]
    task = tt.tasks.make(kind)
    recipe = declare(kind, task)
    circuit, rule = recipe.pop("circuit"), recipe.pop("rule")
    if declared["num_units"] != circuit.num_units:
        circuit = tt.circuits.for_task(
            task, declared["num_units"], dynamics=circuit.dynamics, recurrent=circuit.recurrent,
            noise=circuit.noise_sd,
        )  # fmt: skip
    settings = {**recipe, "num_updates": declared["num_updates"], "stop": declared["stop"]}
    run = tt.train(task, circuit, rule, seeds=[seed], test_trials=0, progress=False, **settings)
    material = Material(run, num_trials=declared["num_trials"])
    found = TAKEN_APART[kind](material, seed, declared)
    training = run.tree["training"].to_dataset().isel(seed=0, drop=True)
    for name in ("status", "criterion_update", "num_updates"):
        found[name] = ((), training[name].values, dict(training[name].attrs))
    found["score"] = ((), float(material.trials["correct"].mean()), words("fraction of correct trials"))
    return found


def words(long_name: str, units: str = "1") -> dict[str, Any]:
    """Attributes of a variable."""
    return {"units": units, "long_name": long_name}


def states_of(material: Material, seed: int, inside: xr.DataArray | None = None) -> tuple[Any, np.ndarray]:
    """Step of a circuit, and the states (sample, state) of its noise-free trials."""
    step = material.step(seed)
    states = step.vectors(material.quiet["states"].sel(seed=seed))
    valid = material.quiet["valid"].sel(seed=seed).astype(bool)
    kept = valid if inside is None else valid & inside.sel(seed=seed)
    return step, states.transpose("trial", "time", "state").values[kept.transpose("trial", "time").values]


def blended(states: np.ndarray, count: int, scatter: float, seed: int) -> np.ndarray:
    """Starts: half of them states with noise added, half mixtures of two or more states."""
    rng = np.random.default_rng(seed)
    half = count // 2
    near = states[rng.integers(len(states), size=half)]
    shares = rng.dirichlet(np.ones(4), count - half)
    mixed = np.einsum("ck,cks->cs", shares, states[rng.integers(len(states), size=(count - half, 4))])
    starts = np.concatenate([near, mixed])
    return starts + scatter * states.std() * rng.standard_normal(starts.shape)


def points_of(step: Any, starts: np.ndarray, inputs: np.ndarray, data: np.ndarray) -> xr.Dataset:
    """Fixed and slow points under each input, at most 32 of each, those with most starts first."""
    named = xr.DataArray(starts, dims=("trial", "state"))
    found = tt.analysis.fixed_points(
        step.step,
        named,
        alpha=step.alpha,
        inputs=xr.DataArray(inputs, dims=("input_condition", "input")),
        data=xr.DataArray(data, dims=("trial", "state")),
    )
    return found.isel(fixed_point=slice(MAX_POINTS))


def outputs_at(material: Material, seed: int, step: Any, location: xr.DataArray) -> xr.DataArray:
    """Outputs (…, output) at states (…, state)."""
    with jax.enable_x64(True):
        weights = material.circuit.weights(material.params(seed))
        readout, bias = np.asarray(weights.readout, float), np.asarray(weights.readout_bias, float)
    values = np.where(np.isfinite(location.values), location.values, 0.0)
    outputs = step.rates(values) @ readout.T + bias
    outputs = np.where(np.isfinite(location.values).all(-1, keepdims=True), outputs, np.nan)
    return xr.DataArray(outputs, dims=(*location.dims[:-1], "output"), attrs=words("output"))


def projected(found: xr.Dataset, states: np.ndarray, trajectories: np.ndarray, count: int = 3) -> xr.Dataset:
    """Points, unstable directions and trajectories (trial, time, state) on the leading components."""
    pca = tt.analysis.pca(xr.DataArray(states, dims=("trial", "unit")), num_components=count)
    basis, mean = pca["components"].values, pca["mean"].values
    out = xr.Dataset()
    out["point"] = (
        (*found["location"].dims[:-1], "component"),
        (found["location"].values - mean) @ basis.T,
        words("principal component"),
    )
    out["point_direction"] = (
        (*found["unstable_direction"].dims[:-1], "component"),
        found["unstable_direction"].values @ basis.T,
        words("unstable direction"),
    )
    out["trajectory"] = (
        ("trial", "time", "component"),
        (trajectories - mean) @ basis.T,
        words("principal component"),
    )
    out["explained_variance_ratio"] = (
        "component", pca["explained_variance_ratio"].values, words("share of variance"),
    )  # fmt: skip
    return out


def kept_of(found: xr.Dataset) -> xr.Dataset:
    """What the record keeps of points: no states."""
    names = ("speed", "kind", "n_starts", "distance_to_data", "n_unstable", "period2", "num_unclassified")
    return found[[*names]].assign(
        time_constant=(
            (*found["step_eig_real"].dims[:-1], "mode"),
            _time_constants(found)[..., :3],
            words("time constant, negative where deviations grow", "ms"),
        )
    )


def _time_constants(found: xr.Dataset) -> np.ndarray:
    size = np.hypot(found["step_eig_real"].values, found["step_eig_imag"].values)
    with np.errstate(divide="ignore", invalid="ignore"):
        constants = -found.attrs["dt"] / np.log(size)
    return np.where(np.abs(size - 1) < ROUNDING, np.inf, constants)


def flip_flop(material: Material, seed: int, declared: dict[str, Any]) -> xr.Dataset:
    """Points without input, where they lie on the cube of outputs, and trajectories between them."""
    step, states = states_of(material, seed)
    starts = blended(states, declared["num_starts"], 0.2, seed)
    inputs = np.zeros((1, material.circuit.num_inputs))
    found = points_of(step, starts, inputs, states).isel(input_condition=0, drop=True)
    found.attrs["dt"] = step.dt
    whole = step.vectors(material.quiet["states"].sel(seed=seed)).transpose("trial", "time", "state")
    places = found["location"].values
    places = places[np.isfinite(places).all(-1)]  # what varies among the points, not what pulses do
    out = xr.merge(
        [kept_of(found), projected(found, places, whole.values[:6])], compat="no_conflicts", join="outer"
    )
    out["output_at_point"] = outputs_at(material, seed, step, found["location"])
    return named(out)


def contextual_integration(material: Material, seed: int, declared: dict[str, Any]) -> xr.Dataset:
    """Per context, points without evidence, what their slowest mode selects, and how it integrates."""
    inside = material.within("stimulus")
    step, states = states_of(material, seed, inside)
    names = material.run.task.input_names
    neutral = np.full((2, len(names)), 0.5)
    neutral[:, :2] = np.eye(2)
    pulses = np.zeros((2, len(names)))
    for row, kind in enumerate(("motion", "colour")):
        pulses[row, names.index(f"{kind}_left")], pulses[row, names.index(f"{kind}_right")] = -1.0, 1.0
    context = material.condition("context").sel(seed=seed)
    starts = states[np.random.default_rng(seed).integers(len(states), size=declared["num_starts"])]
    found = points_of(step, starts, neutral, states)
    found.attrs["dt"] = step.dt
    with jax.enable_x64(True):
        weights = np.asarray(material.circuit.weights(material.params(seed)).input, float)
    effect = pulses @ weights.T
    spectra = tt.analysis.jacobian_spectrum(
        step.step,
        found["location"],
        dt=step.dt,
        inputs=xr.DataArray(neutral, dims=("input_condition", "input")),
    )
    left, right = leading(spectra)
    selection = np.abs(left @ effect.T)
    first = found["n_starts"].values.argmax(1)
    out = kept_of(found)
    out["selection"] = (
        ("input_condition", "fixed_point", "option"), selection,
        words("effect of a pulse of evidence along the slowest mode"),
    )  # fmt: skip
    out["input_strength"] = ("option", np.linalg.norm(effect, axis=1), words("effect of a pulse of evidence"))
    cosine = abs(right[0, first[0]] @ right[1, first[1]])
    out["line_cosine"] = ((), cosine, words("cosine of the slowest modes in the two contexts"))
    modes = [left[k, first[k]] for k in range(2)]
    out = out.assign(_integrated(material, seed, step, context, modes, inside))
    labelled = {"option": ("motion", "colour"), "signal": ("relevant", "irrelevant")}
    return named(out, input_condition=("motion", "colour"), **labelled)


def leading(spectra: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Selection vector and real unit direction of the slowest mode at each point, (…, state)."""
    size = np.hypot(spectra["step_eig_real"].values, spectra["step_eig_imag"].values)
    mode = np.where(np.isfinite(size), size, -1).argmax(-1)[..., None, None]

    def chosen(name: str) -> np.ndarray:
        values = spectra[f"{name}_real"].values + 1j * spectra[f"{name}_imag"].values
        return np.take_along_axis(values, mode, -2)[..., 0, :]

    left, right = chosen("left"), chosen("right")
    largest = np.take_along_axis(right, np.abs(right).argmax(-1)[..., None], -1)
    turned = (right * np.exp(-1j * np.angle(largest))).real
    length = np.linalg.norm(turned, axis=-1, keepdims=True)
    return left * length, turned / length


def _integrated(
    material: Material,
    seed: int,
    step: Any,
    context: xr.DataArray,
    modes: list[np.ndarray],
    inside: xr.DataArray,
) -> dict[str, tuple[Any, ...]]:
    """Mean position along the slowest mode over time, by signed evidence, relevant and irrelevant."""
    states = step.vectors(material.quiet["states"].sel(seed=seed)).transpose("trial", "time", "state").values
    there = inside.sel(seed=seed).transpose("trial", "time").values
    steps = int(there.sum(1).min())
    first = there.argmax(1)
    window = states[np.arange(len(states))[:, None], first[:, None] + np.arange(steps)]
    evidence = [material.condition(name).sel(seed=seed).values for name in ("motion", "colour")]
    levels = np.unique(evidence[0])
    position = np.full((2, len(levels), steps), np.nan)
    for kind in range(2):  # relevant, irrelevant
        gathered = [[] for _ in levels]
        for k in range(2):
            mode = modes[k] * np.exp(-1j * np.angle(modes[k][np.abs(modes[k]).argmax()]))
            along = (window @ mode).real
            here = context.values == k
            relevant = evidence[k]
            slope = np.polyfit(relevant[here], along[here, -1], 1)[0]
            scale = np.sign(slope) / along[here].std()
            along = (along - along[here].mean()) * scale
            sorted_by = evidence[k] if kind == 0 else evidence[1 - k]
            for index, level in enumerate(levels):
                gathered[index].append(along[here & (sorted_by == level)])
        position[kind] = [np.concatenate(each).mean(0) for each in gathered]
    return {
        "position": (
            ("signal", "condition", "time"), position, words("position along the slowest mode (SD)"),
        ),
        "evidence": ("condition", levels, words("signed coherence (%)")),
    }  # fmt: skip


def ready_set_go(material: Material, seed: int, declared: dict[str, Any]) -> xr.Dataset:
    """Trajectories from Set to Go by produced interval: their scaling, speeds, and where they begin."""
    data = material.trials.sel(seed=seed)
    onset = material.epoch("set")[1].sel(seed=seed)
    produced = material.condition("produced_interval").sel(seed=seed)
    group, centre = tt.analysis.levels(produced, num_bins=5)
    group = group.where(np.isfinite(produced), -1)
    rates = data["rates"].astype(float)
    scaling = tt.analysis.scaling_index(rates, onset, produced, condition=group)
    lag = np.arange(0.0, float(produced.quantile(0.95)), step_of(material))
    course = tt.analysis.align(rates, onset, lag, condition=group, num_conditions=5, until=onset + produced)
    speeds = tt.analysis.kinematics(course)
    pca = tt.analysis.pca(course, num_components=3)
    start = course.isel(lag=0).values
    out = xr.Dataset(
        {
            "population": ((), float(scaling["population"]), words("scaling index")),
            "population_unwarped": (
                (), float(scaling["population_unwarped"]), words("scaling index in absolute time"),
            ),
            "scaling_index": ("component", scaling["scaling_index"].values[:3], words("scaling index")),
            "relative_speed": ("condition", speeds["relative_speed"].values, words("relative speed")),
            "slope": ("condition", speeds["slope"].values, words("slope of nearest time")),
            "produced": ("condition", centre.values, words("produced interval", "ms")),
            "trajectory": (
                ("condition", "lag", "component"), pca["score"].values, words("principal component"),
            ),
            "start_order": ((), _order(start), words("rank correlation of start and interval")),
        },
        {"lag": ("lag", lag, words("time from Set", "ms"))},
    )  # fmt: skip
    return named(out)


def _order(start: np.ndarray) -> float:
    """Rank correlation of the interval with the place along which starts vary most."""
    from scipy.stats import spearmanr

    away = start - start.mean(0)
    along = away @ np.linalg.svd(away, full_matrices=False)[2][0]
    return float(abs(spearmanr(along, np.arange(len(along))).statistic))


def step_of(material: Material) -> float:
    """Bin of the task, ms."""
    return float(material.run.task.dt)


def delayed_response(material: Material, seed: int, declared: dict[str, Any]) -> xr.Dataset:
    """Points during the delay, the angles they stand for, and how the memory is coded over the delay."""
    inside = material.within("delay")
    step, states = states_of(material, seed, inside)
    held = np.zeros((1, material.circuit.num_inputs))
    held[0, material.run.task.input_names.index("fixation")] = 1.0
    starts = states[np.random.default_rng(seed).integers(len(states), size=declared["num_starts"])]
    found = points_of(step, starts, held, states).isel(input_condition=0, drop=True)
    found.attrs["dt"] = step.dt
    outputs = outputs_at(material, seed, step, found["location"])
    ring = outputs.values[:, 1:]
    centre = ring - ring.mean(-1, keepdims=True)
    preferred = 2 * np.pi * np.arange(ring.shape[-1]) / ring.shape[-1]
    vector = (centre * np.exp(1j * preferred)).sum(-1)
    angle = material.condition("angle").sel(seed=seed)
    ends = step.vectors(material.at_end("delay", of="states").sel(seed=seed)).values[:, None]
    sound = np.isfinite(ends).all((1, 2))
    out = xr.merge(
        [kept_of(found), projected(found, ends[sound, 0], ends[sound])], compat="no_conflicts", join="outer"
    )
    out["angle_at_point"] = ("fixed_point", np.angle(vector), words("angle that the point stands for", "rad"))
    out["amplitude_at_point"] = ("fixed_point", np.abs(vector), words("amplitude of the bump"))
    out["angle"] = ("trial", angle.values[sound], words("angle shown", "rad"))
    out = out.assign(_decoded(material, seed, angle))
    return named(out)


def _decoded(material: Material, seed: int, angle: xr.DataArray) -> dict[str, tuple[Any, ...]]:
    """Accuracy of the angle's quadrant, decoded at one time of the longest delay from another."""
    _, onset, offset = material.epoch("delay")
    length = (offset - onset).sel(seed=seed)
    longest = length.values > 0.95 * float(length.max())
    dt = step_of(material)
    steps = int(length.values[longest].min() / dt)
    data = material.trials.sel(seed=seed).isel(trial=np.flatnonzero(longest))
    lag = np.linspace(0.5, steps - 0.5, 16).round() * dt + dt / 2
    course = tt.analysis.align(
        data["rates"].astype(float), onset.sel(seed=seed).isel(trial=np.flatnonzero(longest)), lag
    )
    quadrant = np.floor((angle.values[longest] % (2 * np.pi)) / (np.pi / 2)).astype(int)
    label = xr.DataArray(quadrant, dims="trial", attrs=words("quadrant of the angle"))
    found = tt.analysis.decode(course, label, num_shuffles=0, random_seed=seed)
    return {
        "accuracy": (("time_train", "time_test"), found["accuracy"].values, words("accuracy")),
        "chance": ((), 1 / 4, words("chance")),
        "time_train": ("time_train", lag, words("time in the delay, decoder trained", "ms")),
        "time_test": ("time_test", lag, words("time in the delay, decoder tested", "ms")),
    }


def named(out: xr.Dataset, **labels: tuple[str, ...]) -> xr.Dataset:
    """``out`` in single precision, with a coordinate for each dim, some of them named."""
    for name in list(out.data_vars):
        if out[name].dtype == np.float64:
            out[name] = out[name].astype(np.float32).assign_attrs(out[name].attrs)
    for dim, size in out.sizes.items():
        if dim in labels:
            flags = flag_attributes(labels[str(dim)])
            out = out.assign_coords(
                {dim: (dim, np.arange(size), {**words(str(dim).replace("_", " ")), **flags})}
            )
        elif dim not in out.coords:
            out = out.assign_coords({dim: (dim, np.arange(size), words(str(dim).replace("_", " ")))})
    return out.drop_attrs(deep=False)


TAKEN_APART: dict[str, Callable[[Material, int, dict[str, Any]], xr.Dataset]] = {
    "flip-flop": flip_flop,
    "contextual-integration": contextual_integration,
    "ready-set-go": ready_set_go,
    "delayed-response": delayed_response,
}


__all__ = ["TAKEN_APART", "Run", "measure"]
