"""Where everything is measured: the real emulator and runtime client, one Python, the built layer, a sink over TLS."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import field
from benchmarks.sink import Sink
from benchmarks.variants import Variant
from firetee import layer
from firetee.emulator import Emulator, Function
from firetee.runtimes import Python
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN
from tests.fakes.tls import Authority

FUNCTION = Path(__file__).parent / "function"
#: Above anything that is measured: a time-out would be measured instead.
TIMEOUT_S = 120

Row = tuple[float, float]


@dataclass(frozen=True)
class Environment:
    """One running environment of a variant, with a sink of its own."""

    emulator: Emulator
    sink: Sink

    def invoke(self, **event: object) -> float:
        """Milliseconds that the caller of the emulator waited. Raises `RuntimeError` if the function failed."""
        response = self.emulator.invoke(event)
        if response.status != 200 or b"errorType" in response.body[:200]:
            raise RuntimeError(f"the function failed: {response.body[:500]!r}\n{self.emulator.stderr[-2000:].decode()}")
        return response.seconds * 1000

    def ask(self, **event: object) -> Any:
        """What the function answers."""
        return self.emulator.invoke(event).json()

    def rows(self, count: int, **event: object) -> list[Row]:
        """Invoke `count` times: milliseconds until the response was posted, and until the next event was asked for."""
        self.ask(stamps=True)
        for _ in range(count):
            self.invoke(**event)
        taken = self.ask(stamps=True)[-count:]
        assert len(taken) == count
        return [(answered / 1e6, asked / 1e6) for answered, asked in taken]

    def cpu_ms(self) -> float:
        """The processor time that the runtime process has taken, its wrapper and all threads included, in ms.

        It grows far less than the time on the clock with what else the machine does (shared caches, sibling threads).
        """
        tasks = Path(f"/proc/{self.emulator.runs[-1].pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def resident_mb(self) -> float:
        """What the runtime process has in memory, in MB (10^6 bytes)."""
        status = Path(f"/proc/{self.emulator.runs[-1].pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


@dataclass(frozen=True)
class Ground:
    """`layer`: firetee's, unpacked. `authority` signs the sinks. `progress(text)` tells the user what runs."""

    python: Python
    folder: Path
    authority: Authority
    progress: Callable[[str], None]

    @contextmanager
    def environment(
        self, variant: Variant, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> Iterator[Environment]:
        """A fresh environment of `variant` with further settings."""
        with Sink(self.authority) as sink:
            ca = str(self.folder / "ca.pem")
            places = {"sink": sink.url, "port": sink.port, "ca": ca}
            settings = {
                "AWS_REGION": "eu-west-1",
                "AWS_DEFAULT_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_SESSION_TOKEN": TOKEN,
                "AWS_ENDPOINT_URL_FIREHOSE": sink.url,
                "AWS_CA_BUNDLE": ca,
                "FIRETEE_STREAM": "logs",
                # The folder of a function is read-only on Lambda: its own modules are compiled at every cold start.
                "PYTHONDONTWRITEBYTECODE": "1",
                **{name: value.format_map(places) for name, value in variant.env.items()},
                **(env or {}),
            }
            if variant.packages:
                settings["EMULATED_OPT"] = str(field.layer(variant.packages, self.python))
            wrapper = None
            if variant.wrapper:
                ours = variant.wrapper == "firetee"
                wrapper = self.folder / "opt/bin/exec-wrapper" if ours else self.folder / "task" / variant.wrapper
            function = Function(self.folder / "task", variant.handler, settings, memory_mb=512, timeout_s=TIMEOUT_S)
            with Emulator(function, self.python, wrapper=wrapper, folder=folder) as emulator:
                yield Environment(emulator, sink)


@contextmanager
def prepared(python: Python, progress: Callable[[str], None]) -> Iterator[Ground]:
    """Build the layer of this tree, compiled for `python`, and put the function in place; removed at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firetee-bench-")))
        progress("the layer, as built from this tree")
        layer.unpack(layer.build(folder / "layer.zip", [python.path]), folder / "opt")
        shutil.copytree(FUNCTION, folder / "task", ignore=shutil.ignore_patterns("__pycache__"))
        authority = Authority()
        authority.write(folder / "ca.pem")
        yield Ground(python, folder, authority, progress)
