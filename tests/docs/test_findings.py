"""Claims of the manual's page of findings, from the records they cite."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.docs.pages import ROOT
from throughtime.results import labels, load_tree

PAGE = " ".join((ROOT / "docs" / "findings.md").read_text().split())


def record(name):
    return load_tree(ROOT / "evidence" / f"{name}.nc")


def test_every_record_cited_is_there():
    named = {
        name for text in re.findall(r"\*Records?:\* ([^.]+)\.", PAGE) for name in re.findall(r"`(\w+)`", text)
    }
    assert len(named) > 6
    for name in named:
        assert (ROOT / "evidence" / f"{name}.nc").exists()


def test_long_lags_are_learned_by_gated_units_alone():
    tree = record("gradient_anatomy")
    untrained = tree["untrained"].to_dataset()
    norm = dict(zip(labels(untrained["option"]), untrained["jacobian_norm"].values[:, -1], strict=True))
    assert norm["orthogonal"] == pytest.approx(0.2, abs=0.02)
    assert round(float(np.log10(norm["gru"]))) == -24
    trained = tree["trained"].to_dataset()
    reached = (trained["criterion_update"].values >= 0).sum(-1)  # (task, option, condition)
    rows = {name: reached[:, place] for place, name in enumerate(labels(trained["option"]))}
    long = trained["condition"].values >= 100
    plain = [rows[name][:, long] for name in ("vanilla-1", "orthogonal", "leaky-500")]
    assert np.size(plain) == 18
    assert not np.any(plain)
    tasks = labels(trained["task"])
    adding, copying = tasks.index("adding-problem"), tasks.index("copy-memory")
    assert (rows["gru"][adding] == 4).all()
    assert (rows["lstm-chrono"][adding] == 4).all()
    np.testing.assert_array_equal(rows["gru"][copying], [4, 3, 3, 1, 0])
    np.testing.assert_array_equal(rows["lstm-chrono"][copying], [4, 0, 0, 0, 0])
    assert "copy memory at 20 slots (LSTM) and up to 200 (GRU, 4, 3, 3 and 1 of 4 seeds)" in PAGE


def test_clipping_and_memory():
    tree = record("gradient_anatomy")
    clipping = tree["clipping"].to_dataset()
    diverged = dict(
        zip(labels(clipping["option"]), (clipping["diverged_update"].values >= 0).sum(1), strict=True)
    )
    assert diverged == {"sgd-unclipped": 4, "sgd-clipped": 0, "adam-unclipped": 0, "adam-clipped": 0}
    last = dict(zip(labels(clipping["option"]), np.median(clipping["loss"].values[..., -1], 1), strict=True))
    assert last["adam-unclipped"] == pytest.approx(0.20, abs=0.005)
    assert last["adam-clipped"] == pytest.approx(0.025, abs=5e-4)
    memory = tree["memory"].to_dataset()
    np.testing.assert_allclose(memory["exponent"].values, [1.00, 0.56], atol=0.005)
    np.testing.assert_allclose(memory["peak_memory"].values[-1] / 1e6, [298, 5], atol=0.5)


def test_alignment_and_final_loss_of_online_rules():
    tree = record("online_rules")
    trained, aligned = tree["trained"].to_dataset(), tree["alignment"].to_dataset()
    rules, streams = labels(trained["option"]), labels(trained["task"])
    add = trained["final_loss"].isel(task=streams.index("add-1"))
    last = {name: float(np.nanmedian(add.values[place])) for place, name in enumerate(rules)}
    cosine = dict(
        zip(labels(aligned["option"]), aligned["cosine"].mean(("seed", "checkpoint")).values, strict=True)
    )
    local = ("snap-1", "rflo", "kernl")
    for name in ("uoro", "r-kf-rtrl", *local):
        assert 0.385 <= cosine[name] < 0.415, name
    noisy = max(last["uoro"], last["r-kf-rtrl"])
    assert min(last[name] for name in local) - noisy == pytest.approx(0.03, abs=0.005)
    assert cosine["rflo-random"] == pytest.approx(0.0, abs=0.005)
    assert last["readout-only"] - last["rflo-random"] == pytest.approx(0.04, abs=0.005)
