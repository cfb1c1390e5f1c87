"""The seam to AWS: clients made on demand, and a clock that tests replace."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from firetee import __version__
from firetee.cloud.arns import partition_of
from firetee.cloud.errors import CloudError

MAX_ATTEMPTS = 12
"""How often a call is made that is throttled. A choice: where 30 % are refused, three times (botocore's own) fail one
call in 37, and a function takes about fifteen calls."""
UPDATE_PATIENCE_S = 120.0
"""How long to wait for a function that is being updated. A choice: a function in a VPC takes up to a minute."""
PROPAGATION_PATIENCE_S = 60.0
"""How long a new role may take to be known everywhere. A choice; it is usually 10 to 20 seconds."""


T = TypeVar("T")


class _Answer:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_there = False
        self.value: Any = None


class Cloud:
    """One account, seen from one region. Any thread may use it.

    Clients are made on first use and kept. `sleep` takes seconds; tests hand in one that only moves their clock.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        session: boto3.session.Session | None = None,
    ) -> None:
        self._session = session or boto3.session.Session(region_name=region)
        found = region or self._session.region_name or os.environ.get("AWS_REGION")
        if not found:
            raise CloudError("No region is set.", "Give --region, or set AWS_REGION.")
        self.region: str = found
        self._sleep = sleep
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()  # a boto3 session makes clients on one thread at a time only
        self._answers: dict[tuple[object, ...], _Answer] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of a service; typed as Any because botocore makes its methods at run time."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        # boto3's default ("legacy") does not retry every throttled control-plane call; AWS_MAX_ATTEMPTS still rules.
        mode: Any = os.environ.get("AWS_RETRY_MODE", "standard")
        attempts = int(os.environ.get("AWS_MAX_ATTEMPTS", MAX_ATTEMPTS))
        config = Config(
            retries={"mode": mode, "total_max_attempts": attempts}, user_agent_extra=f"firetee/{__version__}"
        )
        return self._session.client(service, region_name=self.region, config=config)  # type: ignore[call-overload]

    def in_region(self, region: str) -> Cloud:
        """The same account seen from another region."""
        if region == self.region:
            return self
        return self.once(("region", region), lambda: Cloud(region, sleep=self._sleep, session=self._session))

    def once(self, key: tuple[object, ...], ask: Callable[[], T]) -> T:
        """What `ask` returns, asked once in the life of this object for each key: for what many functions share and
        nothing changes meanwhile. Errors are not kept."""
        with self._making:
            answer = self._answers.setdefault(key, _Answer())
        with answer.lock:
            if not answer.is_there:
                answer.value = ask()
                answer.is_there = True
            found: T = answer.value
            return found

    def known_regions(self) -> list[str]:
        """The regions of this partition that botocore has heard of."""
        return sorted(self._session.get_available_regions("firehose", partition_of(self.region)))

    @property
    def account(self) -> str:
        """The account id of whoever runs this, asked once."""
        return self.once(("account",), lambda: str(self.client("sts").get_caller_identity()["Account"]))

    def until(
        self, ready: Callable[[], bool], what: str, patience_s: float = UPDATE_PATIENCE_S, pause_s: float = 1.0
    ) -> None:
        """Ask `ready` until it says yes. Raises CloudError, naming `what`, when patience runs out."""
        waited = 0.0
        while not ready():
            if waited >= patience_s:
                raise CloudError(
                    f"Waited {patience_s:.0f} s for {what}.", "Look at it in the console, then run the command again."
                )
            self._sleep(pause_s)
            waited += pause_s

    def retrying(
        self, call: Callable[[], Any], when: Callable[[ClientError], bool], patience_s: float, pause_s: float
    ) -> Any:
        """Make the call again while `when` says that its error will pass and patience lasts; the last error is
        raised."""
        waited = 0.0
        while True:
            try:
                return call()
            except ClientError as error:
                if not when(error) or waited >= patience_s:
                    raise
            self._sleep(pause_s)
            waited += pause_s

    def pause(self, seconds: float) -> None:
        """Wait, on the clock that tests replace."""
        self._sleep(seconds)
