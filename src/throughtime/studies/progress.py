"""How far a study is: counts, time left and best scores, as a bar on a terminal and as lines elsewhere."""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from tqdm import tqdm

BAR = "{desc}: {percentage:3.0f}%|{bar:20}| {n}/{total} cells [{elapsed}{postfix}]"
LINE_SECONDS, BAR_SECONDS = 10.0, 0.5
MOST_TASKS = 4

Group = tuple[str, ...]


class Tally:
    """Counts of a study's cells, what they took, and the best score of each task.

    Args:
        name: of the study.
        cells: facts of all its cells: ``identity``, ``kind``, ``task``, ``circuit``, ``rule``, ``option``.
        lowest: labels of tasks whose score is better the lower it is.
    """

    def __init__(self, name: str, cells: Iterable[Mapping[str, Any]], lowest: Iterable[str] = ()) -> None:
        self.name = name
        self.num_done = self.num_failed = self.num_blocked = self.num_running = 0
        self.num_workers = 1
        self.best: dict[str, tuple[float, str]] = {}
        self._lowest = frozenset(lowest)
        self._groups = {cell["identity"]: _group(cell) for cell in cells}
        self._left = Counter(self._groups.values())
        self._seconds: dict[Group, list[float]] = defaultdict(list)

    @property
    def num_cells(self) -> int:
        """All cells."""
        return len(self._groups)

    @property
    def num_left(self) -> int:
        """Cells that are neither done, nor failed, nor wait for one that failed."""
        return sum(self._left.values())

    def done(self, summary: Mapping[str, Any]) -> None:
        """Count a cell that is done."""
        self.num_done += 1
        group = self._leave(summary["identity"])
        for near in _near(group):
            self._seconds[near].append(float(summary["seconds"]))
        if summary["kind"] == "train":
            self._score(summary)

    def failed(self, identity: str) -> None:
        """Count a cell that failed."""
        self.num_failed += 1
        self._leave(identity)

    def blocked(self, identity: str) -> None:
        """Count a cell that needs one that failed."""
        self.num_blocked += 1
        self._leave(identity)

    @property
    def seconds_left(self) -> float | None:
        """What the like of what is left took (medians), shared by the workers; None if not known."""
        total = 0.0
        for group, number in self._left.items():
            known = next((self._seconds[near] for near in _near(group) if self._seconds.get(near)), None)
            if known is None and number:
                return None
            total += number * statistics.median(known) if known else 0.0
        return total / max(self.num_workers, 1)

    def line(self) -> str:
        """All of it in one line.

        Example:
            >>> cells = [{"identity": name, "kind": "train"} for name in "abc"]
            >>> tally = Tally("first", cells)
            >>> tally.done({"identity": "a", "kind": "train", "task": "go", "circuit": "small",
            ...     "rule": "bptt", "option": "default", "seconds": 60.0, "final_score": [0.5, 0.875]})
            >>> tally.line()
            'first: 1 of 3 cells done; about 2 min left; best score: go 0.875 (small bptt default)'
        """
        counts = [f"{self.num_done} of {self.num_cells} cells done", *self._others()]
        return f"{self.name}: " + "; ".join([", ".join(counts), *self._outlook()])

    def postfix(self) -> str:
        """The same for the end of a bar."""
        return ", ".join([*self._others(), *self._outlook()])

    def _others(self) -> list[str]:
        told = (
            (self.num_running, "running"),
            (self.num_failed, "failed"),
            (self.num_blocked, "waiting for one that failed"),
        )
        return [f"{number} {word}" for number, word in told if number]

    def _outlook(self) -> list[str]:
        found = []
        if self.num_left:
            left = self.seconds_left
            if not self.num_workers:
                found.append("no worker yet")
            elif left is not None:
                found.append(f"about {duration(left)} left")
        if self.best:
            best = [
                f"{task} {score:.3g} ({who})" for task, (score, who) in list(self.best.items())[:MOST_TASKS]
            ]
            more = [f"and {len(self.best) - MOST_TASKS} more tasks"] if len(self.best) > MOST_TASKS else []
            found.append("best score: " + ", ".join([*best, *more]))
        return found

    def _score(self, summary: Mapping[str, Any]) -> None:
        task, low = summary["task"], summary["task"] in self._lowest
        scores = [score for score in summary["final_score"] if score == score]
        if not scores:
            return
        score = min(scores) if low else max(scores)
        before = self.best.get(task)
        if before is None or (score < before[0] if low else score > before[0]):
            self.best[task] = score, f"{summary['circuit']} {summary['rule']} {summary['option']}"

    def _leave(self, identity: str) -> Group:
        group = self._groups[identity]
        self._left[group] -= 1
        return group


def _group(cell: Mapping[str, Any]) -> Group:
    return tuple(str(cell.get(name, "")) for name in ("kind", "task", "circuit", "rule", "option"))


def _near(group: Group) -> tuple[Group, ...]:
    """Groups of cells that take about as long, the closest first."""
    kind, task, circuit, rule, _ = group
    return group, (kind, task, circuit, rule), (kind, task, circuit), (kind, task), (kind,)


def duration(seconds: float) -> str:
    """A time in words.

    Example:
        >>> duration(40), duration(150), duration(8000), duration(200_000)
        ('40 s', '2.5 min', '2.2 h', '2.3 days')
    """
    for size, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.0f} s"


class Reporter:
    """Shows a tally again and again: a bar on a terminal, else a line now and then.

    Args:
        tally: what is shown.
        stream: where; None for nowhere.
    """

    def __init__(self, tally: Tally, stream: TextIO | None) -> None:
        self._tally, self._stream = tally, stream
        self._bar: Any = None
        self._shown, self._last = float("-inf"), ""
        if stream is not None and stream.isatty():
            self._bar = tqdm(
                total=tally.num_cells, initial=tally.num_done, desc=tally.name, file=stream, bar_format=BAR,
                dynamic_ncols=True, miniters=0, mininterval=0.0,
            )  # fmt: skip

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *problem: object) -> None:
        self.show(now=True)
        if self._bar is not None:
            self._bar.close()

    def tell(self, text: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        elif self._stream is not None:
            self._write(text)

    def show(self, now: bool = False) -> None:
        """Show how far it is, unless that was just done."""
        every = LINE_SECONDS if self._bar is None else BAR_SECONDS
        moment = time.monotonic()
        if self._stream is None or (moment - self._shown < every and not now):
            return
        self._shown = moment
        if self._bar is None:
            line = self._tally.line()
            if line != self._last:
                self._write(line)
                self._last = line
            return
        self._bar.n = self._tally.num_done
        self._bar.set_postfix_str(self._tally.postfix(), refresh=True)

    def _write(self, line: str) -> None:
        assert self._stream is not None
        self._stream.write(line + "\n")
        self._stream.flush()


def stream_for(progress: bool | TextIO | None) -> TextIO | None:
    """Where progress goes: the standard error stream by default, nowhere for False, or the stream given."""
    if progress is None or progress is True:
        return sys.stderr
    return None if progress is False else progress
