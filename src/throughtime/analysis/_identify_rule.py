"""Identification of learning rules from datasets; see :mod:`throughtime.analysis.arrays.identify_rule`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._labels import coded
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays import identify_rule as arrays

SAMPLE_DIMS = ("run", "task", "rule", "seed")
_GROUP = ("option", "resample")
FIELDS = {
    "accuracy": Field(_GROUP, "1", "share of held-out samples whose rule is found"),
    "null_mean": Field(_GROUP, "1", "accuracy with shuffled rules, mean"),
    "null_lower": Field(_GROUP, "1", "accuracy with shuffled rules, lower bound"),
    "null_upper": Field(_GROUP, "1", "accuracy with shuffled rules, upper bound"),
    "mean_accuracy": Field(("option",), "1", "mean accuracy over held-out groups"),
    "p": Field(("option",), "1", "p value, one-sided, of the mean accuracy"),
    "chance": Field((), "1", "share of the commonest rule"),
    "confusion": Field(("option", "rule", "predicted_rule"), "1", "share of the samples of a rule"),
    "importance": Field(("option", "parameter"), "1", "accuracy lost when the feature is shuffled"),
    "num_samples": Field(("resample",), "1", "held-out samples"),
    "num_left_out": Field((), "1", "samples without features, left out"),
}


def identify_rule(
    features: xr.DataArray,
    rule: xr.DataArray,
    group: xr.DataArray,
    *,
    sample_dims: Sequence[str] | None = None,
    classifiers: Sequence[str] = arrays.CLASSIFIERS,
    num_trees: int = 100,
    num_inner: int = 3,
    num_permutations: int = 20,
    confidence: float = 0.95,
    random_seed: int = 0,
) -> xr.Dataset:
    """Accuracy of telling learning rules apart in held-out tasks or circuits, for each element of other dims.

    See :func:`throughtime.analysis.arrays.identify_rule.identify_rule`. Other dims are repeats of the whole
    analysis, such as the ``draw`` of units and noise. Samples whose features are not finite (runs that
    failed) cannot be told and are counted in ``num_left_out``.

    Args:
        features: (…, *sample_dims, parameter, [update]), as :func:`rule_features` gives them.
        rule, group: over some of ``sample_dims``: integers, with names in their ``flag_meanings``, or text.
        sample_dims: dims whose elements are samples; if not given, those there are of ``run, task, rule,
            seed``.
        classifiers, num_trees, num_inner, num_permutations: see the array function.
        confidence: share of the null between ``null_lower`` and ``null_upper``.
        random_seed: of forests, shuffles and permutations.

    Returns:
        Dataset: ``accuracy, null_mean, null_lower, null_upper`` (…, option, resample), one ``option`` a
        classifier and one ``resample`` a held-out group; ``mean_accuracy, p`` (…, option); ``confusion``
        (…, option, rule, predicted_rule), rows summing to 1; ``importance`` (…, option, parameter); ``chance,
        num_left_out`` (…) and ``num_samples`` (…, resample).

    Raises:
        ValueError: as the array function; for dims that are not there, or a rule or group none of whose
            samples has features.

    Example:
        >>> task, rule = np.arange(3), np.array(["bptt", "rflo"])
        >>> told = np.random.default_rng(0).normal([[[[0.0]], [[1.0]]]], 0.01, (3, 2, 4, 1))
        >>> told = xr.DataArray(told, dims=("task", "rule", "seed", "parameter"))
        >>> told = told.assign_coords(task=task, rule=rule)
        >>> found = identify_rule(told, told["rule"], told["task"], classifiers=["svm"], num_permutations=0)
        >>> found["accuracy"].values, found["rule"].attrs["flag_meanings"]
        (array([[1., 1., 1.]]), 'bptt rflo')
    """
    checks.fraction("confidence", confidence)
    samples = [dim for dim in SAMPLE_DIMS if dim in features.dims] if sample_dims is None else [*sample_dims]
    missing = [dim for dim in (*samples, "parameter") if dim not in features.dims]
    if missing or not samples:
        found = ", ".join(missing) or f"dim among {', '.join(SAMPLE_DIMS)}"
        raise ValueError(f"features: no {found} in {features.dims}; name the dims of samples in sample_dims.")
    for name, labels in (("rule", rule), ("group", group)):
        if not set(labels.dims) <= set(samples):
            raise ValueError(f"{name}: dims {labels.dims}; labels lie on the sample dims {tuple(samples)}.")
    rule, group = coded(rule), coded(group)
    # plain variables: labels may be the coordinates of dims that are samples here
    template = features.isel({dim: 0 for dim in features.dims if dim not in samples}, drop=True)
    template = xr.zeros_like(template.drop_vars(list(template.coords)), dtype=float)
    label, of = (
        (template + each.variable).transpose(*samples).values.ravel().astype(each.dtype)
        for each in (rule, group)
    )
    rules, groups, chosen = np.unique(label), np.unique(of), list(classifiers)
    points = [dim for dim in ("update",) if dim in features.dims]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]

    def one(table: np.ndarray) -> tuple[Any, ...]:
        flat = table.reshape(label.size, table.shape[len(samples)], -1)
        use = np.isfinite(flat).all((1, 2))
        for name, codes, known in (("rule", label, rules), ("group", of, groups)):
            lost = np.setdiff1d(known, codes[use])
            if lost.size:
                raise ValueError(f"features: no sample of {name} {lost[0]} is finite; leave it out of all.")
        found = arrays.identify_rule(
            flat[use], label[use], of[use], classifiers=chosen, num_trees=num_trees, num_inner=num_inner,
            num_permutations=num_permutations, seed=random_seed,
        )  # fmt: skip
        blank = np.full((2, *found.accuracy.shape), np.nan)
        lower, upper = np.quantile(found.null, tails, axis=1) if num_permutations else blank
        centre = found.null.mean(1) if num_permutations else blank[0]
        means = (found.mean_accuracy, found.p, found.chance)
        tables = (found.confusion, found.importance, found.num_samples)
        return found.accuracy, centre, lower, upper, *means, *tables, int((~use).sum())

    # ``rule`` of the samples becomes ``rule`` of the confusion matrix
    dataset = apply(
        one, (features.drop_vars([name for name in features.coords if {*features[name].dims} & {*samples}]),),
        [(*samples, "parameter", *points)], FIELDS, method="identify_rule",
        parameters={
            "num_trees": num_trees, "num_inner": num_inner, "num_permutations": num_permutations,
            "confidence": confidence, "random_seed": random_seed,
        },
    )  # fmt: skip
    if "parameter" in features.coords:
        dataset = dataset.assign_coords(parameter=features["parameter"])
    codes = np.arange(len(chosen))
    named = {"flag_values": codes.tolist() if len(chosen) > 1 else 0, "flag_meanings": " ".join(chosen)}
    return dataset.assign_coords(
        option=("option", codes, {"units": "1", "long_name": "classifier", **named}),
        rule=("rule", rules, rule.attrs),
        predicted_rule=("predicted_rule", rules, rule.attrs | {"long_name": "rule it is taken for"}),
        resample=("resample", groups, group.attrs | {"long_name": f"held-out {_name(group)}"}),
    )


def _name(group: xr.DataArray) -> str:
    return str(group.attrs.get("long_name", "group"))
