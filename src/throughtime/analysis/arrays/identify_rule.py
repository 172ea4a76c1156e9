"""Which learning rule trained a circuit, told from what can be observed of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks

CLASSIFIERS = ("forest", "svm")
GRIDS: dict[str, dict[str, list[Any]]] = {
    "forest": {"max_features": ["sqrt", 0.5]},
    "svm": {"svc__C": [0.01, 0.1, 1.0, 10.0]},
}
"""Options that inner cross-validation chooses between."""
MIN_GROUPS = 3
NUM_SHUFFLES = 5

Split = tuple[np.ndarray, np.ndarray]


class IdentifyRule(NamedTuple):
    """``C`` classifiers, ``G`` held-out groups, ``K`` rules, ``F`` features, ``P`` permutations.

    Attributes:
        accuracy: (C, G) share of the held-out samples whose rule is found.
        mean_accuracy: (C,) mean over groups.
        chance: share of the commonest rule: what one answer for all reaches.
        confusion: (C, K, K) share of the samples of each rule (first) that each is taken for (second).
        importance: (C, F) accuracy lost when a feature is shuffled among held-out samples, mean over groups.
        null: (C, P, G) accuracy with rules shuffled within groups.
        p: (C,) (1 + permutations whose mean accuracy is as high)/(P + 1); NaN without permutations.
        rules: (K,) codes. groups: (G,) codes, or positions of ``splits``. num_samples: (G,) held out.
    """

    accuracy: np.ndarray
    mean_accuracy: np.ndarray
    chance: float
    confusion: np.ndarray
    importance: np.ndarray
    null: np.ndarray
    p: np.ndarray
    rules: np.ndarray
    groups: np.ndarray
    num_samples: np.ndarray


def identify_rule(
    features: np.ndarray,
    rule: np.ndarray,
    group: np.ndarray,
    *,
    classifiers: Sequence[str] = CLASSIFIERS,
    num_trees: int = 100,
    num_inner: int = 3,
    num_permutations: int = 20,
    splits: Iterable[Split] | None = None,
    seed: int = 0,
) -> IdentifyRule:
    """Held-out accuracy of telling learning rules apart, by nested cross-validation over groups.

    A rule is identified only if what tells it apart holds in tasks or circuits the classifier has not met:
    each group in turn is held out whole (scikit-learn's ``LeaveOneGroupOut``), and options are chosen by
    ``GroupKFold`` among the groups that are left. Classifiers are a random forest and a linear support
    vector machine on standardised features (after Nayebi et al. 2020, Advances in Neural Information
    Processing Systems 33).

    The null repeats everything, choice of options included, with rules shuffled within each group; it costs
    ``num_permutations`` times the analysis, and p is at least 1/(num_permutations + 1). Correlated features
    share their importance; a feature with several points is shuffled as a whole.

    Args:
        features: (sample, feature) or (sample, feature, point). rule: (sample,) integer code.
        group: (sample,) integer code of the task or circuit that is held out.
        classifiers: of ``"forest"`` and ``"svm"``. num_trees: of the forest.
        num_inner: folds of the inner cross-validation, at most the number of groups − 1.
        num_permutations: 0 for no null.
        splits: (training, held-out) positions in place of leaving one group out.
        seed: of forests, shuffles and permutations.

    Raises:
        ValueError: for features that are not finite or never vary, unequal lengths, fewer than 2 rules or 3
            groups, a group on both sides of a split, a rule missing from training (outer or inner), or
            options out of range.

    Example:
        >>> rule, group = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
        >>> told = np.random.default_rng(0).normal(rule, 0.01)[:, None]
        >>> identify_rule(told, rule, group, classifiers=["svm"], num_permutations=0).accuracy
        array([[1., 1., 1.]])
    """
    table = checks.finite("features", features, "leave failed runs out")
    table = table[..., None] if table.ndim == 2 else table
    if table.ndim != 3:
        raise ValueError(f"features: shape {table.shape}; use (sample, feature) or (sample, feature, point).")
    label, of = (np.asarray(codes) for codes in (rule, group))
    for name, codes in (("rule", label), ("group", of)):
        if codes.shape != (len(table),):
            raise ValueError(
                f"unequal lengths: features {len(table)}, {name} {codes.shape}; give one code a sample."
            )
    if not np.ptp(table, axis=0).any():
        raise ValueError("features: zero variance in every feature; there is nothing to tell rules by.")
    unknown = [name for name in classifiers if name not in CLASSIFIERS]
    if unknown or not classifiers:
        raise ValueError(f"classifiers: {list(classifiers)}; use some of {', '.join(CLASSIFIERS)}.")
    for name, count, least in (
        ("num_trees", num_trees, 1), ("num_inner", num_inner, 2), ("num_permutations", num_permutations, 0),
    ):  # fmt: skip
        if count < least:
            raise ValueError(f"{name}: {count}; use at least {least}.")
    rules, answer = np.unique(label, return_inverse=True)
    groups = np.unique(of)
    if rules.size < 2:
        raise ValueError(f"rule: {rules.size} found; use samples of at least 2 rules.")
    if groups.size < MIN_GROUPS:
        raise ValueError(
            f"group: {groups.size} found; holding groups out within groups held out takes {MIN_GROUPS}."
        )
    outer, names = _outer(splits, of, groups)
    inner = [_checked(training, held, of, answer, rules, num_inner) for training, held in outer]
    found = [
        _cross_validate(table, answer, outer, inner, rules.size, name, num_trees, seed)
        for name in classifiers
    ]
    null = np.full((len(found), num_permutations, len(outer)), np.nan)
    generator = np.random.default_rng(seed)
    for k in range(num_permutations):
        shuffled = answer.copy()
        for each in groups:
            members = np.flatnonzero(of == each)
            shuffled[members] = generator.permutation(answer[members])
        for c, name in enumerate(classifiers):
            null[c, k] = _cross_validate(
                table, shuffled, outer, inner, rules.size, name, num_trees, seed, shuffles=0
            )[0]
    accuracy, counts, importance = (np.stack(values) for values in zip(*found, strict=True))
    mean = accuracy.mean(1)
    with np.errstate(invalid="ignore"):
        confusion = counts / counts.sum(2, keepdims=True)
    higher = (null.mean(2) >= mean[:, None] - 1e-12).sum(1)
    return IdentifyRule(
        accuracy=accuracy,
        mean_accuracy=mean,
        chance=float(np.bincount(answer).max() / answer.size),
        confusion=confusion,
        importance=importance,
        null=null,
        p=(1 + higher) / (num_permutations + 1) if num_permutations else np.full(len(found), np.nan),
        rules=rules,
        groups=names,
        num_samples=np.array([held.size for _, held in outer]),
    )


def _outer(
    splits: Iterable[Split] | None, of: np.ndarray, groups: np.ndarray
) -> tuple[list[Split], np.ndarray]:
    """Outer splits, and the group that each holds out."""
    if splits is None:
        everyone = np.arange(of.size)
        return [(everyone[of != each], everyone[of == each]) for each in groups], groups
    given = [(np.asarray(training), np.asarray(held)) for training, held in splits]
    if not given or not all(training.size and held.size for training, held in given):
        raise ValueError("splits: a side of a split is empty; give training and held-out positions.")
    return given, np.arange(len(given))


def _checked(
    training: np.ndarray,
    held: np.ndarray,
    of: np.ndarray,
    answer: np.ndarray,
    rules: np.ndarray,
    num_inner: int,
) -> list[Split]:
    """Inner splits of what is trained on, as positions within it."""
    from sklearn.model_selection import GroupKFold

    both = np.intersect1d(of[training], of[held])
    if both.size:
        raise ValueError(f"splits: group {both[0]} is on both sides; hold groups out whole.")
    left = np.unique(of[training]).size
    if left < 2:
        raise ValueError(f"splits: {left} group to train on; options are chosen with at least 2.")
    folds = GroupKFold(min(num_inner, left)).split(training, groups=of[training])
    inner = [(np.asarray(fit), np.asarray(test)) for fit, test in folds]
    for positions, level in (
        (training, "training"),
        *((training[fit], "inner training") for fit, _ in inner),
    ):
        missing = np.setdiff1d(np.arange(rules.size), answer[positions])
        if missing.size:
            out = ", ".join(str(code) for code in np.unique(of[held]).tolist()[:4])
            raise ValueError(
                f"rule: {rules[missing[0]]} is missing from {level} with group {out} held out; use rules "
                "that occur in more groups, or more inner folds."
            )
    return inner


def _cross_validate(
    table: np.ndarray,
    answer: np.ndarray,
    outer: list[Split],
    inner: list[list[Split]],
    num_rules: int,
    classifier: str,
    num_trees: int,
    seed: int,
    shuffles: int = NUM_SHUFFLES,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy by split, counts (rule, taken for), and the accuracy that each feature is worth."""
    from sklearn.model_selection import GridSearchCV

    num_features = table.shape[1]
    flat = table.reshape(len(table), -1)
    accuracy, lost = np.zeros(len(outer)), np.zeros(num_features)
    counts = np.zeros((num_rules, num_rules))
    generator = np.random.default_rng(seed)
    for k, ((training, held), folds) in enumerate(zip(outer, inner, strict=True)):
        search = GridSearchCV(_classifier(classifier, num_trees, seed), GRIDS[classifier], cv=folds)
        best = search.fit(flat[training], answer[training]).best_estimator_
        told = best.predict(flat[held])
        accuracy[k] = (told == answer[held]).mean()
        np.add.at(counts, (answer[held], told), 1)
        for feature in range(num_features if shuffles else 0):
            tables = np.repeat(table[None, held], shuffles, axis=0)
            tables[:, :, feature] = np.stack(
                [table[generator.permutation(held), feature] for _ in range(shuffles)]
            )
            again = best.predict(tables.reshape(-1, flat.shape[1])).reshape(shuffles, -1)
            lost[feature] += (accuracy[k] - (again == answer[held]).mean()) / len(outer)
    return accuracy, counts, lost


def _classifier(name: str, num_trees: int, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if name == "forest":
        return RandomForestClassifier(num_trees, random_state=seed)
    return make_pipeline(StandardScaler(), SVC(kernel="linear"))
