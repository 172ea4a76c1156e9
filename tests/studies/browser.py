"""A headless Chromium, spoken to in the DevTools protocol: what a page does, and what it complains of."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SWITCHES = (
    "--headless=new", "--no-" "sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--disable-default-apps", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE_S = 30.0


def chromium() -> str | None:
    """Path of the browser; None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One page of the browser.

    Attributes:
        complaints: errors and warnings of the console, uncaught exceptions, refusals of the policy.
        requested: addresses that the page asked for, without those of data.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: Any) -> None:
        self._loop, self._socket = loop, socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._attached, self._loaded = "", 0
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._attached = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **given: Any) -> dict[str, Any]:
        """Result of one command."""
        number = next(self._numbers)
        addressed = {"sessionId": self._attached} if self._attached else {}
        message = {"id": number, "method": method, "params": given, **addressed}
        return self._wait(self._answer(number, message))

    def open(self, path: Path, width: int = 1280, height: int = 900) -> None:
        """Load a file and wait until its last figure is drawn."""
        mobile = width < 600
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        self.complaints.clear()
        self.requested.clear()
        before = self._loaded
        self.send("Page.navigate", url=path.as_uri())
        self._wait(self._load_after(before))
        self.until("document.body && document.body.dataset.figures !== undefined")

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression, a promise's when it is kept."""
        done = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"])
        return done["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE_S
        while not self.run(condition):
            assert time.monotonic() < end, f"the page never came to {condition}"
            time.sleep(0.02)

    def move(self, x: float, y: float) -> None:
        """Put the pointer there, in pixels of the window."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """The page as PNG."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=whole, format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def printed(self, path: Path) -> None:
        """The page as PDF, on A4."""
        data = self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def _wait(self, coming: Any) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(coming, PATIENCE_S))

    async def _answer(self, number: int, message: dict[str, Any]) -> dict[str, Any]:
        await self._socket.write_message(json.dumps(message))
        while (came := await self._read()).get("id") != number:
            pass
        assert "error" not in came, came["error"]
        return dict(came["result"])

    async def _load_after(self, before: int) -> None:
        while self._loaded == before:  # what is asked of a page that is about to go is never answered
            await self._read()

    async def _read(self) -> dict[str, Any]:
        """The next message; what it tells of the page is noted."""
        text = await self._socket.read_message()
        assert text is not None, "the browser is gone"
        came: dict[str, Any] = json.loads(text)
        self._note(came.get("method"), came.get("params", {}))
        return came

    def _note(self, method: str | None, told: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded += 1
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([one.get("value", one.get("description")) for one in told["args"]]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"].get("exception", told["exceptionDetails"])))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            address = told["request"]["url"]
            self.requested += [] if address.startswith(("data:", "about:")) else [address]


async def _connected(address: str) -> Any:
    return await websocket_connect(HTTPRequest(address, connect_timeout=PATIENCE_S), max_message_size=2**28)


@contextmanager
def browser(executable: str) -> Iterator[Page]:
    """A page of a browser that is ended with everything that it started."""
    loop = asyncio.new_event_loop()
    folder = tempfile.mkdtemp(prefix="browser-")
    environment = {**os.environ, "HOME": folder, "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [executable, *SWITCHES, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = None
        for line in process.stderr:
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                address = found[1]
                break
        assert address is not None, "the browser did not start"
        socket = loop.run_until_complete(_connected(address))
        yield Page(loop, socket)
        socket.close()
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
        loop.close()
        shutil.rmtree(folder, ignore_errors=True)
