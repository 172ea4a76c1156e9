"""Every measure on a run on which it is defined, beside its analysis; and what makes each refuse."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime import analysis, circuits, measures, results, rules, tasks
from throughtime.measures import Material
from throughtime.measures.adding import refusals
from throughtime.measures.coding import balanced
from throughtime.measures.dynamics import visited
from throughtime.measures.interference import simulate

TRIALS = 40
MATCHING = tasks.make(
    "delayed-match-to-sample", dt=50.0, fixation=100.0, sample=150.0, delay=350.0, test=150.0, response=150.0
)
TIMING = tasks.make("cue-set-go", dt=50.0)
MIXTURE = tasks.get("multitask")(
    tasks=(
        tasks.make("delayed-response", dt=50.0, delay=200.0),
        tasks.make("delayed-anti-response", dt=50.0, delay=0.0),
    )
)
OF_RUN = {  # name of a run -> measures that are defined on it, with options that make them quick
    "matching": {
        "autocorrelation_timescale": {},
        "behaviour": {},
        "cka": {},
        "decode": {"num_times": 2, "num_shuffles": 2},
        "dimensionality": {"at_end": True},
        "dpca": {},
        "dsa": {"rank": 2, "n_restarts": 2},
        "fixed_points": {"num_starts": 16, "by": "sample", "epoch": "sample"},
        "flow_field": {},
        "geometry": {"num_shuffles": 2},
        "gradient_norms": {"num_trials": 2, "num_lags": 3},
        "jacobian_spectrum": {"num_states": 2},
        "kernel_alignment": {"num_trials": 4},
        "lyapunov_spectrum": {"num_steps": 100, "burn_in": 10},
        "memory_capacity": {},
        "pca": {"num_components": 2, "epoch": "delay"},
        "perturb": {"num_random": 3, "num_trials": 4},
        "rsa": {"num_permutations": 20},
        "selectivity": {},
        "sequentiality": {},
        "shape_distance": {},
        "sharpness": {"num_trials": 2, "num_probes": 2},
        "tdr": {},
        "weight_change": {"num_draws": 5},
    },
    "timing": {
        "kinematics": {"num_groups": 3},
        "scaling_index": {"num_groups": 3},
        "lowrank_view": {"ranks": (0, 2, 6), "num_trials": 8},
    },
    "mixture": {"task_variance": {"num_trials": 40}},
}
EVERY = [(run, name) for run, chosen in OF_RUN.items() for name in chosen]


def trained(task, num_units, rule, **options):
    circuit = circuits.for_task(task, num_units=num_units, noise=0.05)
    settings = {"seeds": [4], "batch_size": 8, "learning_rate": 1e-2, "test_trials": 0, "progress": False}
    return tt.train(task, circuit, rule, **settings | options)


@pytest.fixture(scope="module")
def runs():
    return {
        "matching": trained(MATCHING, 6, rules.make("rflo", feedback="random"), num_updates=3),
        "timing": trained(TIMING, 6, rules.make("bptt"), num_updates=150, seeds=[4, 9]),
        "mixture": trained(MIXTURE, 5, rules.make("readout-only"), num_updates=1),
    }


@pytest.fixture(scope="module")
def found(runs):
    return {name: tt.analyse(runs[name], chosen, num_trials=TRIALS) for name, chosen in OF_RUN.items()}


@pytest.fixture(scope="module")
def matching(runs):
    return Material(runs["matching"], num_trials=TRIALS)


def group(found, run, name):
    return found[run].tree[f"analysis/{name}"].to_dataset()


@pytest.mark.parametrize(("run", "name"), EVERY)
def test_every_measure_is_computed_and_says_how(found, run, name):
    told = group(found, run, name)
    assert "refusal" not in told.attrs, told.attrs["refusal"]
    assert told.attrs["method"] == (told.attrs["signature"] if name == "behaviour" else name)
    assert told.attrs["version"] == 1
    assert told.attrs["input_sha256"] == group(found, run, next(iter(OF_RUN[run]))).attrs["input_sha256"]
    params = json.loads(told.attrs["params"])
    fields = {field.name for field in dataclasses.fields(measures.get(name))}
    assert set(params) == fields | {"num_trials", "checkpoint"}
    assert told["seed"].values.tolist() == found[run].seeds
    assert told["seed_status"].values.tolist() == [0] * len(found[run].seeds)
    for key, values in told.data_vars.items():
        assert values.attrs["units"] in results.schema.UNITS, key
        assert values.attrs["long_name"], key
    assert any(
        np.isfinite(values).any() for key, values in told.data_vars.items() if values.dtype.kind == "f"
    )


@pytest.mark.parametrize("run", OF_RUN)
def test_what_is_added_can_be_saved(found, run):
    assert results.validate(found[run].tree) == []
    assert not refusals(found[run])


def test_every_measure_is_here_and_has_the_name_of_an_analysis():
    assert sorted(name for _, name in EVERY) == sorted(measures.names())
    assert set(measures.names()) - set(analysis.__all__) == {"behaviour"}


def test_the_epoch_and_the_conditions_chosen_are_told(found):
    assert group(found, "matching", "decode").attrs["by"] == "sample"
    assert group(found, "matching", "tdr").attrs["by"] == "sample test"
    assert group(found, "matching", "selectivity").attrs["epoch"] == "delay"
    assert group(found, "matching", "dimensionality").attrs["epoch"] == "delay"  # its end
    assert group(found, "matching", "pca").attrs["epoch"] == "delay"
    assert "epoch" not in group(found, "matching", "cka").attrs


# Each beside its analysis of what tt.evaluate gives.


@pytest.fixture(scope="module")
def quiet(runs):
    return tt.evaluate(runs["matching"], TRIALS, purpose="analysis", noise=False).isel(seed=0)


@pytest.fixture(scope="module")
def before(runs):
    run = runs["matching"]
    return tt.evaluate(run, TRIALS, purpose="analysis", noise=False, checkpoint=0).isel(seed=0)


def of_delay(data):
    """Rates (trial, time, unit) in the delay, which ends at the same bin in every trial here."""
    names = results.labels(data["epoch"])
    onset, offset = (
        data[f"epoch_{end}"].isel(epoch=names.index("delay"), trial=0) for end in ("onset", "offset")
    )
    assert float(offset - onset) == 350.0
    return data["rates"].sel(time=slice(float(onset), float(offset))).astype(float)


def same(told, alone, *names):
    for name in names or alone.data_vars:
        np.testing.assert_allclose(told[name].isel(seed=0), alone[name], rtol=1e-5, atol=1e-7)


def test_geometry_of_activity(found, quiet):
    same(
        group(found, "matching", "pca"),
        analysis.pca(of_delay(quiet), num_components=2),
        "explained_variance_ratio",
    )
    ends = of_delay(quiet).isel(time=-1)
    same(group(found, "matching", "dimensionality"), analysis.dimensionality(ends), "participation_ratio")


def test_similarity_to_the_circuit_before_training(found, quiet, before):
    steps = np.unique(np.linspace(0, quiet.sizes["time"] - 1, 16).round().astype(int))
    both = [
        data["rates"].isel(time=steps).transpose("trial", "time", "unit").astype(float)
        for data in (quiet, before)
    ]
    same(group(found, "matching", "cka"), analysis.cka(*both), "cka")
    same(group(found, "matching", "shape_distance"), analysis.shape_distance(*both), "angle")
    assert group(found, "matching", "shape_distance")["angle"].item() > 0
    whole = [data["rates"].transpose("trial", "time", "unit").astype(float) for data in (quiet, before)]
    alone = analysis.dsa(*whole, seed=0, rank=2, n_restarts=2)
    same(group(found, "matching", "dsa"), alone, "dsa", "spectrum_distance")


def test_rsa_of_condition_means(found, quiet, before):
    sample, test = quiet["sample"].values, quiet["test"].values
    means = []
    for data in (quiet, before):
        ends = of_delay(data).isel(time=-1).values
        each = [ends[(sample == a) & (test == b)].mean(0) for a in np.unique(sample) for b in np.unique(test)]
        means.append(xr.DataArray(np.stack(each), dims=("condition", "unit")))
    alone = analysis.rsa(*means, seed=0, num_permutations=20)
    same(group(found, "matching", "rsa"), alone)
    assert group(found, "matching", "rsa").attrs["by"] == "sample test"


def test_coding(found, runs, matching):
    noisy = tt.evaluate(runs["matching"], TRIALS, purpose="analysis").isel(seed=0)
    rates = of_delay(noisy).transpose("trial", "time", "unit").rename(time="lag")
    rates = rates.assign_coords(lag=50.0 * (np.arange(7) + 0.5))  # after the onset of the delay
    sample, test = (noisy[name].reset_coords(drop=True) for name in ("sample", "test"))
    alone = analysis.decode(rates.isel(lag=[0, -1]), sample, num_shuffles=2)
    same(group(found, "matching", "decode"), alone, "accuracy", "chance", "null_maximum")
    same(group(found, "matching", "dpca"), analysis.dpca(rates, {"sample": sample}), "marginal_variance")
    same(
        group(found, "matching", "tdr"),
        analysis.tdr(rates, {"sample": sample, "test": test}),
        "peak_time",
        "axis",
    )
    same(
        group(found, "matching", "autocorrelation_timescale"),
        analysis.autocorrelation_timescale(rates),
        "tau",
    )
    drawn, factors, code = balanced(matching, 4, ("sample", "test"), None, fewest=2)
    assert np.unique(np.bincount(code)).size == 1
    assert set(zip(factors["sample"].values, factors["test"].values, strict=True)) == {
        (a, b) for a in np.unique(sample) for b in np.unique(test)
    }
    rows = [np.flatnonzero((rates.isel(lag=-1).values == one).all(1)).item() for one in drawn.values]
    np.testing.assert_array_equal(sample.values[rows], factors["sample"].values)
    same(group(found, "matching", "selectivity"), analysis.selectivity(drawn, factors), "f", "class_share")
    alone = analysis.geometry(drawn, factors, num_shuffles=2)
    same(group(found, "matching", "geometry"), alone, "parallelism", "ccgp")


def test_sequentiality_counts_from_the_lowest_rate(found, runs):
    noisy = tt.evaluate(runs["matching"], TRIALS, purpose="analysis").isel(seed=0)
    mean = of_delay(noisy).mean("trial").transpose("time", "unit")
    lowest = mean.min("time")
    alone = analysis.sequentiality(mean - lowest.where(lowest < 0, 0.0), num_bins=mean.sizes["time"])
    same(group(found, "matching", "sequentiality"), alone, "entropy", "mean_log_ratio")


def test_behaviour_is_the_signature(found, runs):
    noisy = tt.evaluate(runs["matching"], TRIALS, purpose="analysis")
    fit = MATCHING.signature
    alone = getattr(analysis, fit.fit)(**{name: noisy[stored] for name, stored in fit.variables})
    for name in alone.data_vars:
        np.testing.assert_allclose(group(found, "matching", "behaviour")[name], alone[name])


def test_points_under_the_input_of_an_epoch_stand_still(found, matching):
    told = group(found, "matching", "fixed_points").isel(seed=0)
    assert told.sizes["input_condition"] == 2
    step, states = visited(matching, 4, "sample")
    assert states.shape == (TRIALS * 3, 6)
    held = matching.constant_inputs("sample", by="sample").isel(seed=0)
    assert not np.allclose(held[0], held[1])
    location = told["location"]
    assert bool(location.notnull().any())
    for condition, point in np.argwhere(location.notnull().all("state").values):
        at = location.values[condition, point]
        with jax.enable_x64(True):
            after = step.step(jnp.asarray(at), jnp.asarray(held.values[condition], jnp.float64))
        speed = np.linalg.norm((np.asarray(after) - at) / step.alpha)
        np.testing.assert_allclose(speed, told["speed"].values[condition, point], atol=1e-10)


def test_spectra(found, matching, quiet):
    step = matching.step(4)
    held = matching.constant_inputs().isel(seed=0, input_condition=0, drop=True).values.astype(float)
    inputs = xr.DataArray(np.tile(held, (110, 1)), dims=("time", "input"))
    start = xr.DataArray(step.start, dims="state")
    alone = analysis.lyapunov_spectrum(step.step, start, dt=50.0, inputs=inputs, num_steps=100, burn_in=10)
    same(group(found, "matching", "lyapunov_spectrum"), alone, "exponent")
    weights = matching.circuit.weights({key: jnp.asarray(value) for key, value in matching.params(4).items()})
    current = of_delay(quiet.assign(rates=quiet["states"].isel(state=0))).isel(time=-1, trial=0).values
    slope = 1 - np.tanh(current) ** 2
    alpha = (step.alpha)[:, None]
    jacobian = (1 - alpha) * np.eye(6) + alpha * np.asarray(weights.recurrent, float) * slope
    wanted = np.linalg.eigvals(jacobian)
    told = group(found, "matching", "jacobian_spectrum").isel(seed=0, trial=0)
    values = told["step_eig_real"].values + 1j * told["step_eig_imag"].values
    np.testing.assert_allclose(np.sort_complex(values), np.sort_complex(wanted), atol=1e-5)


def test_memory_of_white_noise(found, matching):
    told = group(found, "matching", "memory_capacity").isel(seed=0)
    step = matching.step(4)
    noise = 0.1 * np.random.default_rng(0).standard_normal(400)  # 50 a unit, and 100 before
    state, rates = jnp.asarray(step.start), []
    with jax.enable_x64(True):
        move = jax.jit(step.step)
        for one in noise:
            state = move(state, jnp.zeros(len(MATCHING.input_names)).at[0].set(one))
            rates.append(np.asarray(step.rates(state)))
    alone = analysis.memory_capacity(
        xr.DataArray(noise, dims="time"),
        xr.DataArray(np.stack(rates), dims=("time", "unit")),
        dt=50.0,
        burn_in=100,
    )
    np.testing.assert_allclose(told["r2"], alone["r2"], atol=1e-6)
    assert 0 < float(told["capacity"]) <= 6
    assert group(found, "matching", "memory_capacity").attrs["channel"] == MATCHING.input_names[0]


def test_interference(found, runs, matching, quiet):
    told = group(found, "matching", "perturb").isel(seed=0)
    assert not [name for name in told.attrs if name.startswith("refused")]
    onset = np.flatnonzero((told["pulse_deviation"] > 0).any("direction"))[0]
    states = of_delay(quiet.assign(rates=quiet["states"].isel(state=0)))
    names = results.labels(quiet["epoch"])
    lasts = [
        float(quiet[f"epoch_{end}"].isel(epoch=names.index("delay"), trial=0)) for end in ("onset", "offset")
    ]
    assert lasts[0] < float(told["time"][onset]) < lasts[1]
    away = states - states.mean(("trial", "time"))
    size = 0.5 * np.sqrt(float((away**2).sum("unit").mean()))
    np.testing.assert_allclose(told["pulse_deviation"].isel(time=onset), size, rtol=1e-5)
    assert told.sizes["lesion"] == 4
    outputs = runs_loss(matching, 4)
    np.testing.assert_allclose(told["measure"], outputs, rtol=1e-4)


def runs_loss(material, num_trials):
    """1 − loss / loss of silence, by hand: squared error over what the mask lets through, trial by trial."""
    data = material.quiet.isel(seed=0, trial=slice(num_trials))
    weight = data["mask"].astype(float)

    def loss(outputs):
        each = ((outputs - data["targets"]) ** 2 * weight).sum(("time", "output")) / weight.sum(
            ("time", "output")
        )
        return float(each.mean())

    return 1 - loss(data["outputs"].astype(float)) / loss(0.0 * data["outputs"].astype(float))


def test_a_view_by_few_ranks(found, runs):
    told = group(found, "timing", "lowrank_view")
    material = Material(runs["timing"], num_trials=TRIALS)
    np.testing.assert_allclose(told["full_performance"][0], runs_loss(material, 8), rtol=1e-4)
    np.testing.assert_allclose(told["performance_share"].sel(rank=6), 1.0, atol=1e-9)
    assert (told["performance_share"].sel(rank=0) < 1).all()
    weights = material.weights("recurrent")
    np.testing.assert_allclose(told["singular_value"], np.linalg.svd(weights.values)[1], rtol=1e-4)
    change = measures.make("lowrank_view", change=True, ranks=(0, 6), num_trials=2)(material)
    moved = weights - material.at(0).weights("recurrent")
    np.testing.assert_allclose(change["singular_value"], np.linalg.svd(moved.values)[1], rtol=1e-3, atol=1e-6)


def test_intervals_by_group_of_duration(found, runs):
    noisy = tt.evaluate(runs["timing"], TRIALS, purpose="analysis")
    names = results.labels(noisy["epoch"])
    onset = noisy["epoch_onset"].isel(epoch=names.index("set"), drop=True)
    produced = noisy["produced_interval"]
    told = group(found, "timing", "scaling_index")
    for seed in (4, 9):
        own, _ = analysis.levels(produced.sel(seed=seed), num_bins=3)
        chosen = {"seed": seed}
        alone = analysis.scaling_index(
            noisy["rates"].sel(chosen).astype(float), onset.sel(chosen), produced.sel(chosen),
            condition=own.where(np.isfinite(produced.sel(chosen)), -1),
        )  # fmt: skip
        np.testing.assert_allclose(told["population"].sel(chosen), alone["population"])
    paths = group(found, "timing", "kinematics")
    assert paths["group_duration"].dims == ("seed", "condition")
    assert (paths["group_duration"].diff("condition") > 0).all()


def test_tasks_of_a_mixture(found, runs):
    told = group(found, "mixture", "task_variance").isel(seed=0)
    data = tt.evaluate(runs["mixture"], 40, purpose="analysis", noise=False).isel(seed=0)
    names = results.labels(data["epoch"])
    end = data["epoch_offset"].isel(epoch=names.index("fixation"))
    rates = data["rates"].astype(float).where(data["valid"].astype(bool) & (data["time"] > end))
    for task in (0, 1):
        mine = rates.isel(trial=np.flatnonzero(data["task_condition"].values == task))
        wanted = mine.var("trial").where(mine.notnull().sum("trial") > 1).mean("time")
        np.testing.assert_allclose(told["task_variance"].sel(task=task), wanted, rtol=1e-5)


# Refusals.

CONSTRAINED = circuits.Circuit(
    num_inputs=len(TIMING.input_names), num_units=4, num_outputs=1, dt=50.0,
    recurrent=circuits.LowRank(rank=2), dynamics=circuits.Leaky(activation="softplus"),
)  # fmt: skip


@pytest.fixture(scope="module")
def raw():
    """Circuits that have hardly been trained: gated ones, and some of low rank that never fall silent."""
    settings = {"seeds": [4], "num_updates": 1, "batch_size": 2, "test_trials": 0, "progress": False}
    gated = circuits.for_task(TIMING, num_units=4, dynamics=circuits.DYNAMICS["gru"]())
    return {
        "gated": tt.train(TIMING, gated, rules.make("bptt"), **settings),
        "constrained": tt.train(TIMING, CONSTRAINED, rules.make("bptt"), **settings),
    }


REFUSED = [
    (
        "timing",
        "geometry",
        {},
        r"by: no 2 conditions of CueSetGo with at most 2 levels occur in all combinations",
    ),
    ("timing", "selectivity", {}, "by: no 2 conditions of CueSetGo with at most 12 levels"),
    ("timing", "task_variance", {}, "condition: the task has none called 'task'; choose of interval"),
    ("timing", "flow_field", {}, "rule: it holds no feedback weights"),
    ("timing", "memory_capacity", {"channel": "sound"}, "channel: no input 'sound'; the task has cue, set"),
    ("timing", "perturb", {"kinds": ("heat",)}, r"kinds: \['heat'\]; choose of pulses, lesions, weights"),
    (
        "timing",
        "perturb",
        {"kinds": ("lesions",), "num_lesions": 7},
        "num_lesions: 7 of 6 units; use from 2 to all",
    ),
    ("timing", "dimensionality", {"epoch": "rest"}, "epoch: the task has no 'rest'; choose of"),
    ("matching", "kinematics", {}, "condition: the task has none called 'produced_interval'"),
    ("matching", "scaling_index", {"duration": "delay"}, "epoch: the task has no 'set'; choose of"),
    ("matching", "geometry", {"by": ("sample",)}, "condition: 2 conditions"),
    ("matching", "selectivity", {"by": ("sample",)}, "factors: 1; give two"),
    ("matching", "decode", {"by": "colour"}, "condition: the task has none called 'colour'"),
    ("matching", "rsa", {"by": ("sample",)}, "conditions"),
    (
        "mixture",
        "task_variance",
        {"num_trials": 1},
        "num_trials: 2 of 2 combinations of task have fewer than 2 of 2",
    ),
    ("gated", "fixed_points", {}, "alpha: missing; pass dt/tau"),
    ("gated", "lowrank_view", {}, r"circuit: .* recurrent weights shape \(3, 4, 4\)"),
    ("gated", "perturb", {"kinds": ("weights",)}, "circuit: recurrent weights of 3 drives"),
    (
        "constrained",
        "perturb",
        {"kinds": ("lesions",)},
        "silenced: rates of this circuit are not 0 at state 0",
    ),
    (
        "constrained",
        "perturb",
        {"kinds": ("weights",)},
        "weights: the circuit's connectivity turns these into others",
    ),
]


@pytest.mark.parametrize(("run", "name", "options", "message"), REFUSED)
def test_what_is_not_defined_is_refused(runs, raw, run, name, options, message):
    material = Material((runs | raw)[run], num_trials=2 if run == "mixture" else TRIALS)
    with pytest.raises(ValueError, match=message):
        measures.make(name, **options)(material)


def test_a_circuit_no_better_than_a_silent_one_has_no_share_to_keep(raw):
    first = Material(raw["constrained"], num_trials=4, checkpoint=0)
    params = first.params(4)
    run = simulate(first, 4, 4)
    assert run()[1] < 0, params["readout"]
    with pytest.raises(
        ValueError, match=r"run: with 1 - loss / loss of silent outputs of -.* train it longer"
    ):
        measures.make("lowrank_view")(first)


def test_a_kind_of_interference_that_is_not_defined_is_told_beside_the_others(raw):
    wish = measures.make("perturb", num_random=2, num_trials=2, num_directions=1)
    told = wish(Material(raw["constrained"], num_trials=4))
    assert "pulse_deviation" in told
    assert "lesion_deviation" not in told
    assert "weights_deviation" not in told
    assert told.attrs["refused_lesions"].startswith("silenced: ")
    assert told.attrs["refused_weights"].startswith("weights: ")


def test_weight_change_needs_a_later_checkpoint(runs):
    with pytest.raises(ValueError, match="checkpoint: 0 is before training; choose a later one"):
        measures.make("weight_change")(Material(runs["timing"], checkpoint=0))


# Seeds that diverged.


@pytest.mark.parametrize("name", ["behaviour", "weight_change", "dimensionality"])
def test_a_diverged_seed_is_missing_in_each(runs, name):
    groups = {
        path: data.copy(deep=True) for path, data in results.content.local_datasets(runs["timing"].tree)
    }
    groups["/training"]["status"][1] = 2
    groups["/checkpoints"]["recurrent"][1, -1] = np.nan
    broken = results.Run(xr.DataTree.from_dict(groups))
    told = tt.analyse(broken, [name], num_trials=TRIALS)
    data = told.tree[f"analysis/{name}"].to_dataset()
    assert data["seed_status"].values.tolist() == [0, 1]
    for key, values in data.data_vars.items():
        if "seed" in values.dims and values.dtype.kind == "f":
            assert np.isnan(values.isel(seed=1)).all(), key
            assert np.isfinite(values.isel(seed=0)).any(), key
    assert results.validate(told.tree) == []
    groups["/training"]["status"][0] = 2
    groups["/checkpoints"]["recurrent"][0, -1] = np.nan
    lost = Material(results.Run(xr.DataTree.from_dict(groups)))
    with pytest.raises(ValueError, match="run: every seed of it diverged"):
        measures.make(name)(lost)


# Conditions.


def test_conditions_with_many_levels_come_in_groups(runs):
    material = Material(runs["timing"], num_trials=TRIALS)
    interval, grouped = material.condition("interval"), material.grouped("interval")
    index, centre = analysis.levels(interval, num_bins=5)
    np.testing.assert_allclose(np.unique(grouped), centre)
    np.testing.assert_allclose(grouped, centre.values[index])
    assert grouped.attrs["units"] == "ms"
    assert material.num_levels("interval") == 5
    assert material.conditions(most=1) == ("interval",)
    assert material.conditions("cue") == ("cue",)
    assert material.one_or_two() == ("interval",)
    codes, label = material.combined(("interval",))
    assert label.size == 5
    np.testing.assert_array_equal(codes, index)


def test_combinations(matching):
    assert matching.crossed() == ("sample", "test")
    assert matching.crossed(("match", "delay")) == ("match", "delay")
    code = matching.sorted_trials(("sample", "match"), 4)
    sample, match = (matching.condition(name).sel(seed=4).values for name in ("sample", "match"))
    pairs = {(a, b, c) for a, b, c in zip(sample, match, code.values, strict=True)}
    assert len(pairs) == len({pair[2] for pair in pairs}) == 4
    with pytest.raises(
        ValueError, match="num_trials: 4 of 4 combinations of sample, test have fewer than 99 of 40"
    ):
        matching.sorted_trials(("sample", "test"), 4, fewest=99)


def test_other_checkpoints_are_run_once(matching):
    assert matching.at(0) is matching.at(0)
    assert matching.at(0).trials is matching.at(0).trials
    assert matching.with_trials(3) is matching
    assert matching.with_trials(50).num_trials == 50
