"""Spiking circuits with the weights of a run, added to a copy of it."""

from __future__ import annotations

from typing import Any

import xarray as xr

from throughtime import spiking
from throughtime.measures.adding import copy_of, taken_from
from throughtime.results import Run
from throughtime.results.content import local_datasets

GROUP, NAME = "spiking", "transfer"


def transfer(run: Run, *, command: str | None = None, **options: Any) -> Run:
    """Carry trained rate circuits over to integrate-and-fire neurons, and add what came of it to a copy.

    The copy gets the group ``/spiking/transfer``, which says how it came about as those of
    :func:`throughtime.measures.analyse` do; such a group that is there already is replaced. The copy may be
    one with measures, and measures can be added to it.

    Args:
        run: trained or loaded, of leaky units in the current form.
        command: the command line to cite.
        options: see :func:`throughtime.spiking.transfer`: ``task``, ``checkpoint``, ``inverse_lambdas``,
            ``num_trials``, ``fresh_trials``, ``loss_below``, ``accuracy_at_least``, ``peak``, ``neurons``,
            ``kept_trials``, ``num_components``, ``target``.

    Returns:
        a run of kind ``analysis`` that names its ``parent_run``. The run itself is as it was.

    Raises:
        ValueError: for a circuit without a spiking counterpart, a run of one seed that is refused, a run
            trained with carried states, and impossible options.

    Example:
        >>> import math
        >>> import warnings
        >>> import throughtime as tt
        >>> task = tt.tasks.make("go-no-go", dt=20.0, fixation=20.0, stimulus=20.0, response=20.0)
        >>> neurons = tt.circuits.Leaky(tau=30.0, activation="sigmoid", form="current")
        >>> circuit = tt.circuits.for_task(task, num_units=4, dynamics=neurons)
        >>> run = tt.train(task, circuit, tt.rules.make("bptt"), num_updates=1, batch_size=2, test_trials=0)
        >>> ask = {"loss_below": math.inf, "accuracy_at_least": 0.0, "num_trials": 2, "fresh_trials": 2}
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # of few units
        ...     found = tt.transfer(run, inverse_lambdas=(50.0,), num_components=1, **ask)
        >>> found.tree["spiking/transfer/accuracy"].dims
        ('seed', 'parameter')
    """
    if run.config.get("training", {}).get("carry_state"):
        raise ValueError(
            "transfer: the run was trained with states carried from trial to trial, and LIF neurons begin "
            "each trial anew; train with carry_state=False."
        )
    found = spiking.transfer(run, **options)
    found.attrs["input_sha256"] = taken_from(run)
    groups = dict(local_datasets(run.tree))
    groups.setdefault(f"/{GROUP}", xr.Dataset())
    groups[f"/{GROUP}/{NAME}"] = found
    return copy_of(run, groups, command)
