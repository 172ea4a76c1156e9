"""Vocabulary of a results file: dims, units, axes of arrays, and what each variable means."""

from __future__ import annotations

SCHEMA_NAME = "throughtime"
SCHEMA_VERSION = 1
KINDS = ("run", "part", "analysis", "study")

# fmt: off
DIMS = frozenset({
    "run", "seed", "update", "checkpoint", "trial", "time", "unit", "presynaptic_unit", "input", "output",
    "condition", "input_condition", "fixed_point", "state", "mode", "direction", "component", "gate",
    "recurrent_gate", "input_gate", "rank", "region", "epoch", "rule", "option", "time_train", "time_test",
    "lag", "lesion", "task", "resample", "parameter", "spike", "block", "draw", "signal", "stage",
    "other_run", "other_condition", "other_task", "predicted_rule", "pair", "start", "predictor", "dichotomy",
    "circuit", "metric",
})
# fmt: on
UNITS = ("1", "ms", "1/ms", "Hz", "mV", "rad", "1/tau", "byte")

REQUIRED = (
    "schema_name",
    "schema_version",
    "kind",
    "created_at",
    "creation_library",
    "creation_library_version",
)
REQUIRED_OF_RUN = (
    "run_id",
    "task",
    "circuit",
    "rule",
    "config",
    "config_sha256",
    "code_sha256",
    "python_version",
    "numpy_version",
    "jax_version",
    "jaxlib_version",
    "optax_version",
    "xarray_version",
    "device_kind",
    "dtype",
    "deterministic",
    "init_sha256",
    "data_sha256",
)

# name -> (units, long_name), of variables and coordinates
VARIABLES: dict[str, tuple[str, str]] = {
    # coordinates
    "seed": ("1", "seed"),
    "update": ("1", "updates made at the end of the block"),
    "checkpoint": ("1", "checkpoint"),
    "trial": ("1", "trial"),
    "time": ("ms", "time of the centre of the bin"),
    "unit": ("1", "unit"),
    "presynaptic_unit": ("1", "presynaptic unit"),
    "input": ("1", "input channel"),
    "output": ("1", "output channel"),
    "state": ("1", "variable of the neuron"),
    "epoch": ("1", "epoch"),
    "condition": ("1", "combination of conditions"),
    "gate": ("1", "drive of a gated unit"),
    "recurrent_gate": ("1", "drive that recurrent weights feed, where they do not feed all"),
    "input_gate": ("1", "drive that input weights feed, where they do not feed all"),
    "rank": ("1", "rank"),
    "parameter": ("1", "flat index of a parameter"),
    "cell_type": ("1", "cell type of the unit"),
    "unit_region": ("1", "region the unit lies in"),
    "stage": ("1", "stage of the curriculum; the last is the task itself"),
    # /training
    "loss": ("1", "training loss"),
    "score": ("1", "score on held-out trials"),
    "gradient_norm": ("1", "norm of the gradient before clipping"),
    "clipped_fraction": ("1", "fraction of updates whose gradient was clipped"),
    "learning_rate": ("1", "learning rate"),
    "status": ("1", "how training ended"),
    "criterion_update": ("1", "update at which the criterion was first met, -1 if never"),
    "diverged_update": ("1", "first update with a non-finite loss or gradient, -1 if none"),
    "num_updates": ("1", "updates made"),
    "trials_seen": ("1", "trials seen"),
    "forward_passes": ("1", "forward passes through a trial"),
    "current_stage": ("1", "stage of the curriculum the updates were made in"),
    "stage_update": ("1", "updates made when the stage began, -1 if never"),
    # /checkpoints
    "checkpoint_update": ("1", "updates made at the checkpoint"),
    "recurrent": ("1", "recurrent weights"),
    "input_weights": ("1", "input weights"),
    "bias": ("1", "bias"),
    "readout": ("1", "readout weights"),
    "readout_bias": ("1", "readout bias"),
    "tau": ("ms", "time constant of the unit"),
    "initial_state": ("1", "state before the first step"),
    "factors": ("1", "factors of low-rank recurrent weights"),
    "rule_feedback": ("1", "feedback weights of the learning rule"),
    "rule_baseline": ("1", "loss that the learning rule expects of a trial of the kind"),
    "rule_baseline_trials": ("1", "trials that the expected loss rests on"),
    "rule_num_trials": ("1", "trials that the learning rule has seen"),
    "rule_inverse": ("1", "inverse correlations of what an output reads"),
    "rule_recurrent_inverse": ("1", "inverse correlations of what neurons with the same sources receive"),
    "rule_teaching": ("1", "weights of the wanted output onto the second circuit"),
    "rule_time": ("ms", "time spent learning"),
    "rule_predictor": ("1", "weights of the learning rule's prediction of credit"),
    "rule_predictor_copy": ("1", "copy of these weights that targets are made with"),
    "rule_predictor_age": ("1", "steps since the copy was made"),
    "rule_jacobian": ("1", "learned map from a state to the next"),
    "rule_kernel": ("1", "learned reach of a unit's influence"),
    "rule_fading": ("1", "learned fading of a unit's influence a step"),
    "output_feedback": ("1", "weights of the output fed back into the circuit"),
    # /evaluation and /behaviour
    "inputs": ("1", "input"),
    "targets": ("1", "target output"),
    "mask": ("1", "loss weight"),
    "valid": ("1", "whether the sample belongs to the trial"),
    "outputs": ("1", "output"),
    "rates": ("1", "rate"),
    "states": ("1", "variables of the neuron"),
    "epoch_onset": ("ms", "onset of the epoch"),
    "epoch_offset": ("ms", "end of the epoch"),
    "choice": ("1", "choice"),
    "correct": ("1", "whether the trial was correct"),
    "response_time": ("ms", "response time"),
    "fraction_correct": ("1", "fraction of correct trials"),
    "num_trials": ("1", "trials of the condition"),
}

# name in circuit.weights or circuit.init -> axes after (seed, checkpoint); a gate axis may come first
AXES: dict[str, tuple[str, ...]] = {
    "recurrent": ("unit", "presynaptic_unit"),
    "recurrent_fixed": ("unit", "presynaptic_unit"),
    "left": ("unit", "rank"),
    "right": ("presynaptic_unit", "rank"),
    "input": ("unit", "input"),
    "bias": ("unit",),
    "readout": ("output", "unit"),
    "readout_bias": ("output",),
    "tau": ("unit",),
    "initial_state": ("unit",),
    "factors": ("unit", "rank"),
    "rule_feedback": ("unit", "output"),
    "rule_kernel": ("unit", "presynaptic_unit"),
    "rule_fading": ("unit",),
    "rule_baseline": ("condition",),
    "rule_baseline_trials": ("condition",),
    "rule_inverse": ("output", "unit", "presynaptic_unit"),
    "rule_teaching": ("unit", "output"),
    "rule_companion_recurrent": ("unit", "presynaptic_unit"),
    "rule_companion_input": ("unit", "input"),
    "rule_companion_readout": ("output", "unit"),
    "rule_companion_readout_bias": ("output",),
    "output_feedback": ("unit", "output"),
}

MILLISECOND_ENDINGS = (
    "interval", "delay", "duration", "period", "wait", "gap", "time", "onset", "offset", "asynchrony",
)  # fmt: skip
RADIAN_ENDINGS = ("angle", "angular_error")


def units_of(name: str) -> str:
    """Units of a variable, from the table or else from the ending of its name.

    Example:
        >>> units_of("tau"), units_of("produced_interval"), units_of("coherence"), units_of("target_angle")
        ('ms', 'ms', '1', 'rad')
    """
    if name in VARIABLES:
        return VARIABLES[name][0]
    if name.endswith(RADIAN_ENDINGS):
        return "rad"
    return "ms" if name.rsplit("_", 1)[-1] in MILLISECOND_ENDINGS else "1"


def attributes(name: str, **extra: object) -> dict[str, object]:
    """Attributes ``units`` and ``long_name`` of a variable; ``extra`` adds to them or replaces them.

    Example:
        >>> attributes("time")
        {'units': 'ms', 'long_name': 'time of the centre of the bin'}
    """
    long_name = VARIABLES[name][1] if name in VARIABLES else name.replace("_", " ")
    return {"units": units_of(name), "long_name": long_name, **extra}


def stored_name(name: str) -> str:
    """Name of a weight array in the file.

    xarray turns a variable with the name of a dim into a coordinate, so such a name gets a suffix.

    Example:
        >>> stored_name("recurrent"), stored_name("input")
        ('recurrent', 'input_weights')
    """
    return f"{name}_weights" if name in DIMS else name
