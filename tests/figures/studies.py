"""Records of studies that never saw a circuit: plausible numbers to draw figures from."""

from __future__ import annotations

import numpy as np
import xarray as xr

# circuit -> ln of the factor by which a norm changes in a step of 20 ms, before and after training
UNTRAINED = {
    "vanilla-0.5": -0.65, "vanilla-1": 0.0, "vanilla-1.5": 0.02, "vanilla-2": 0.13, "vanilla-3": 0.28,
    "relu-1.6": 0.26, "relu-identity": 0.0, "orthogonal": -0.008, "leaky-100": -0.001, "leaky-500": 0.004,
    "lstm": -0.05, "lstm-chrono": -0.002, "gru": -0.26, "gru-bias-2": -0.05,
}  # fmt: skip
TRAINED = {"vanilla-1": -0.04, "orthogonal": -0.02, "leaky-500": 0.0, "lstm-chrono": -0.005, "gru": 0.01}
LAGS = (20, 50, 100, 200, 500)
DIVERGED = 2


def _named(dim: str, names: list[str]) -> tuple:
    flags = {"flag_values": list(range(len(names))), "flag_meanings": " ".join(names)}
    return dim, np.arange(len(names)), {"units": "1", "long_name": dim, **flags}


def _plain(dim: str, values: object, units: str = "1", name: str = "") -> tuple:
    return dim, np.asarray(values), {"units": units, "long_name": name or dim}


def untrained() -> xr.Dataset:
    """Straight lines on a log axis, of which some leave the axes."""
    back = np.array([0, 1, 2, 5, *range(10, 207, 10)])
    norms = np.exp(np.array(list(UNTRAINED.values()))[:, None] * back)
    variables = {
        name + ending: (("option", "lag"), norms * factor, {"units": "1", "long_name": name})
        for name in ("jacobian_norm", "loss_gradient_norm")
        for ending, factor in (("", 1.0), ("_lower", 0.5), ("_upper", 2.0))
    }
    variables["num_diverged"] = ("option", np.zeros(len(UNTRAINED), int), {"units": "1"})
    lag = _plain("lag", 20.0 * back, "ms", "time before the end of the trial")
    return xr.Dataset(variables, {"option": _named("option", list(UNTRAINED)), "lag": lag})


def clipping(g: np.random.Generator, num_seeds: int) -> xr.Dataset:
    """Without clipping sgd diverges at once and adam meets large gradients."""
    names = ["sgd-unclipped", "sgd-clipped", "adam-unclipped", "adam-clipped"]
    update, shape = np.arange(1, 601), (4, num_seeds, 600)
    norm = np.exp(g.standard_normal(shape) + np.array([9.0, 2.0, 3.0, 1.5])[:, None, None])
    norm[:, :, :3] *= 1e9
    loss = 0.2 * np.exp(
        0.3 * g.standard_normal(shape) - np.array([0, 0, 0.001, 0.004])[:, None, None] * update
    )
    status = np.full((4, num_seeds), 1)
    status[0], norm[0, :, 4:], loss[0, :, 4:] = DIVERGED, np.nan, np.nan
    curves = {"gradient_norm": norm, "loss": loss, "clipped_fraction": (norm > 1).astype(float)}
    ended = {"status": status, "diverged_update": np.where(status == DIVERGED, 4, -1)}
    return xr.Dataset(
        {name: (("option", "seed", "update"), values, {"units": "1"}) for name, values in curves.items()}
        | {name: (("option", "seed"), values, {"units": "1"}) for name, values in ended.items()},
        {
            "option": _named("option", names),
            "seed": _plain("seed", np.arange(num_seeds)),
            "update": _plain("update", update),
        },
    )


def trained(g: np.random.Generator, num_seeds: int) -> xr.Dataset:
    """Scores fall with the lag; one seed diverges and some never reach the criterion."""
    circuits, tasks = list(TRAINED), ["copy-memory", "adding-problem"]
    reach = np.array([15.0, 12.0, 60.0, 180.0, 300.0])[:, None, None]
    lags = np.array(LAGS, float)[None, :, None]
    shape = (5, len(LAGS), num_seeds)
    learned = 1 / (1 + (lags / reach) ** 3) * np.exp(0.1 * g.standard_normal(shape))
    accuracy = np.clip(1 / 8 + 7 / 8 * learned, 0, 1)
    error = np.clip((1 - np.clip(learned, 0, 1)) / 6, 0.004, 0.3) * np.exp(0.2 * g.standard_normal(shape))
    criterion = np.where(learned > 0.7, (300 + 8 * lags) * np.exp(0.2 * g.standard_normal(shape)), -1)
    status = np.where(criterion > 0, 0, 1)
    status[0, -1, -1] = DIVERGED
    back = np.array([0, 1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 400, 500])
    slopes = np.array([[UNTRAINED[name] for name in circuits], list(TRAINED.values())])
    norm = np.exp(
        slopes.T[:, None, :, None, None] * back + 0.2 * g.standard_normal((*shape[:2], 2, num_seeds, 1))
    )
    longest = np.array(LAGS)[:, None, None, None] + 6
    norm = np.where(back <= longest, norm, np.nan)
    both = {"jacobian_norm": norm, "loss_gradient_norm": norm}
    dims = ("task", "option", "condition")
    variables = {
        name: (
            (*dims, "checkpoint", "seed", "lag"),
            np.stack([values] * 2),
            {"units": "1", "long_name": name},
        )
        for name, values in both.items()
    }
    variables |= {
        name: ((*dims, "seed"), np.stack([values, values]).astype(int), {"units": "1"})
        for name, values in {"criterion_update": criterion, "status": status}.items()
    }
    for index, (name, values) in enumerate({"symbol_accuracy": accuracy, "squared_error": error}.items()):
        words = {"units": "1", "long_name": name.replace("_", " "), "task": index}
        variables[name] = (("option", "condition", "seed"), values, words)
    variables["task_lag"] = ("condition", 20.0 * np.array(LAGS), {"units": "ms"})
    return xr.Dataset(
        variables,
        {
            "task": _named("task", tasks),
            "option": _named("option", circuits),
            "condition": _plain("condition", LAGS, name="lag of the task, slots"),
            "checkpoint": _named("checkpoint", ["before_training", "after_training"]),
            "seed": _plain("seed", np.arange(num_seeds)),
            "lag": _plain("lag", 20.0 * back, "ms", "time before the end of the trial"),
            "update": _plain("update", [1000, 2000]),
        },
    )


def memory() -> xr.Dataset:
    """Linear and square-root memory, linear time."""
    steps = np.array([125, 250, 500, 1000, 2000, 4000, 8000])
    peak = np.stack([45e3 * steps, 6e5 + 1e5 * steps**0.5])
    time = np.stack([0.03 * steps, 0.02 * steps])
    dims = ("option", "condition")
    return xr.Dataset(
        {
            "peak_memory": (dims, peak, {"units": "byte"}),
            "gradient_time": (dims, time, {"units": "ms"}),
            "exponent": ("option", [1.0, 0.47], {"units": "1"}),
        },
        {"option": _named("option", ["whole", "segments"]), "condition": _plain("condition", steps)},
    )


def gradient_anatomy(num_seeds: int = 4, *ignored: int) -> xr.DataTree:
    """The groups of ``evidence/gradient_anatomy.nc`` that its figure draws."""
    g = np.random.default_rng(3)
    groups = {
        "/untrained": untrained(),
        "/clipping": clipping(g, num_seeds),
        "/trained": trained(g, num_seeds),
        "/memory": memory(),
    }
    return xr.DataTree.from_dict(groups)


def locality(*ignored: int) -> xr.DataTree:
    """Rules with the longest names, that sense and read at random."""
    g = np.random.default_rng(5)
    names = [*(f"rule-{number}" for number in range(22)), "reward-modulated-hebbian", "evolution-strategy"]
    signals = [
        "error",
        "W_out",
        "future_errors",
        "others'_states",
        "others'_weights",
        "type_modulators",
        "scalar",
    ]
    kinds = [f"readout_of_other_neurons_{number}" for number in range(18)]

    def among(words: list[str]) -> tuple:
        flags = {"flag_values": list(range(len(words))), "flag_meanings": " ".join(words)}
        return "rule", g.integers(0, len(words), len(names)), {"units": "1", **flags}

    return xr.DataTree.from_dict(
        {
            "/locality": xr.Dataset(
                {
                    "senses": (
                        ("rule", "signal"),
                        g.integers(0, 2, (len(names), len(signals))),
                        {"units": "1"},
                    ),
                    "reads": (("rule", "option"), g.integers(0, 2, (len(names), len(kinds))), {"units": "1"}),
                    "known": among(["causal", "future", "delayed"]),
                    "synapses": among(["recurrent", "readout"]),
                },
                {
                    "rule": _named("rule", names),
                    "signal": _named("signal", signals),
                    "option": _named("option", kinds),
                },
            )
        }
    )


def online_rules(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """The groups of ``evidence/online_rules.nc``: one rule ran once, on one stream; a seed diverged."""
    g = np.random.default_rng(5)
    streams = ["add-1", "mimic-1", "add-0.5", "mimic-0.5"]
    rules = [
        "readout-only", "tbptt-sliding", "tbptt-blocks", "kf-rtrl", "r-kf-rtrl", "uoro", "dni", "snap-1",
        "kernl", "rflo", "rflo-random", "rtrl",
    ]  # fmt: skip
    update = np.arange(10, 1001, 10)
    rate = np.linspace(0.2, 3.0, len(rules))[:, None, None]
    fall = np.exp(-rate * update / 500) * np.exp(0.02 * g.standard_normal((len(rules), num_seeds, 1)))
    loss = np.stack([0.45 + 0.22 * fall, 0.02 + 0.4 * fall] * 2)
    loss[1::2, :, :, update > 500] = np.nan
    final = np.stack([loss[k, ..., 49 if k % 2 else 99] for k in range(len(streams))])
    counts = np.full((len(streams), len(rules)), num_seeds)
    counts[:, -1] = 1, 0, 0, 0
    loss[0, -1, 1:], final[0, -1, 1:], loss[1:, -1], final[1:, -1] = (np.nan,) * 4
    diverged = np.zeros_like(counts)
    diverged[1, 5], loss[1, 5, 0, 20:], final[1, 5, 0] = 1, np.nan, np.inf
    dims, one = ("task", "option", "seed", "update"), {"units": "1"}
    floors = np.where(np.arange(4)[:, None] % 2, np.nan, [0.6616, 0.5192, 0.4544])
    seed = _plain("seed", np.arange(num_seeds))
    trained = xr.Dataset(
        {
            "loss": (dims, loss, one),
            "final_loss": (dims[:3], final, one),
            "num_seeds": (dims[:2], counts, one),
            "num_diverged": (dims[:2], diverged, one),
            "floor": (("task", "condition"), floors, one),
            "num_steps": ((), 1000, one),
        },
        {
            "task": _named("task", streams),
            "option": _named("option", rules),
            "seed": seed,
            "update": _plain("update", update),
            "condition": _named("condition", ["neither", "first_lag", "both"]),
        },
    )
    cosine = g.uniform(0.0, 1.0, (len(rules) - 2, 3, num_seeds))
    aligned = xr.Dataset(
        {"cosine": (("option", "checkpoint", "seed"), cosine, one)},
        {
            "option": _named("option", rules[1:-1]),
            "checkpoint": _plain("checkpoint", [0, 10, 1000]),
            "seed": seed,
        },
    )
    return xr.DataTree.from_dict({"/trained": trained, "/alignment": aligned})
