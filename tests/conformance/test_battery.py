"""Every registered rule through the battery that users' own rules meet (rows 19, 20, 21, 25)."""

from __future__ import annotations

import jax
import pytest

from throughtime import rules
from throughtime.checking.report import FAILED, run
from throughtime.checking.rules import BATTERY, Subject

ELSEWHERE = ("circuits", "halving-dt", "locality")  # the table of circuits, row 23, tests of the audit
CHECKS = [name for check in BATTERY if (name := check.__name__.replace("_", "-")) not in ELSEWHERE]


@pytest.mark.parametrize("name", rules.names())
def test_battery(name):
    with jax.enable_x64(True):
        findings = run(BATTERY, Subject(rules.make(name)), CHECKS)
    assert [str(one) for one in findings if one.status == FAILED] == []
    assert sum(one.status == "ok" for one in findings) >= 8
