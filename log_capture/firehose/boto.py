"""The client for everything that `direct` does not serve: botocore, the part of boto3 below its own face.

It is the copy that the function itself would import. One attempt a call, because retrying is the sender's business.

`gate.py` keeps it to a deadline. Not under control: resolving a name, and botocore's own look-ups of credentials on
an instance or in a container.

What the function can see of it: botocore's modules, and a filter on botocore's and urllib3's loggers (`quiet.py`). The
warning filters that the import adds are taken back.
"""

from __future__ import annotations

from time import monotonic

from ..net.http import IDLE_S
from ..release import PRODUCT
from ..sending.client import Client
from ..sending.failures import CONNECT, RESET, STALE, TIMEOUT, PutError
from .errors import of_code, of_network, of_record, one_line
from .gate import Gate, attach
from .protocol import bad_answer, codes_of, stream_name
from .quiet import Quiet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

#: botocore's own time-outs, for what the deadline does not reach.
_TIMEOUT_S = 10

#: What the client imports when it is made; imported before, so that `Quiet` finds their loggers.
_MODULES = (
    "botocore.args",
    "botocore.client",
    "botocore.configprovider",
    "botocore.credentials",
    "botocore.endpoint",
    "botocore.endpoint_provider",
    "botocore.handlers",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.regions",
    "botocore.retries.standard",
    "botocore.retryhandler",
    "botocore.session",
    "botocore.signers",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)


class Boto3Client(Client):
    """See `Client`. `role_arn` is assumed through STS in the same region, and renewed before it expires."""

    light = False

    def __init__(
        self,
        *,
        region: str | None,
        environ: Mapping[str, str],
        role_arn: str | None = None,
        clock: Callable[[], float] = monotonic,
        report: Callable[[str], None] = lambda _: None,
        attach: Callable[[Gate, Any], None] = attach,
    ) -> None:
        self._region = region
        self._environ = environ
        self._role_arn = role_arn
        self._clock = clock
        self._gate = Gate(clock)
        self._report = report
        self._attach = attach
        self._quiet = Quiet()
        self._client: Any = None
        self._used_at = 0.0

    def warm_up(self) -> None:
        """See `Client.warm_up`. Where credentials come over the network, making the client is left to `put`."""
        try:
            _load()
            if self._role_arn or self._environ.get("AWS_ACCESS_KEY_ID"):
                self._make()
        except Exception:  # noqa: BLE001  whatever it is: the first `put` fails with it, and says so
            pass

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        """See `Client.put`."""
        self._gate.aborted = False
        if self._clock() - self._used_at > IDLE_S:
            self.close()
        try:
            return self._put(stream, records, deadline)
        except PutError as error:
            self.close()
            if error.kind != STALE:
                raise
            lost = error.ambiguous
        try:
            return self._put(stream, records, deadline)
        except PutError as error:
            error.ambiguous = error.ambiguous or lost
            self.close()
            raise

    def refusal(self, code: str, stream: str) -> PutError:
        return of_record(code, stream)

    def close(self) -> None:
        """See `Client.close`."""
        if self._client is not None:
            self._client.close()
        self._gate.close()

    def forget(self) -> None:
        """See `Client.forget`. A client whose credentials can expire is made anew."""
        self._gate.forget()
        self.close()
        if self._role_arn or not self._environ.get("AWS_ACCESS_KEY_ID"):
            self._client = None

    def abort(self) -> None:
        """See `Client.abort`."""
        self._gate.abort()

    # ---- one attempt ---------------------------------------------------------------------------------------------

    def _put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        gate = self._gate
        answer: object = None
        gate.open(deadline)
        try:
            _load()
            if self._client is None:
                self._make()
            self._quiet.begin()
            answer = self._client.put_record_batch(
                DeliveryStreamName=stream_name(stream), Records=[{"Data": data} for data in records]
            )
        except Exception as error:  # botocore raises its own, urllib3's, and what credentials plug-ins raise
            raise self._translate(error, stream) from error
        finally:
            self._quiet.end()
            gate.shut()
        self._used_at = self._clock()
        codes = codes_of(answer)
        if codes is None or len(codes) != len(records):
            if gate.ended or gate.aborted:  # botocore takes what came until then for an answer
                raise self._translate(TimeoutError(), stream)
            raise bad_answer(f"an answer that is not about {len(records)} records", stream, self._region or "")
        return codes

    def _make(self) -> None:
        """Make the client: 20 ms and more, once. No network, unless credentials come over it."""
        self._quiet.begin()
        try:
            self._client = _make_client(self._attach_if_possible, self._region, self._role_arn)
        finally:
            self._quiet.end()

    def _attach_if_possible(self, client: Any) -> None:
        """Without the gate requests work, but cannot be ended before botocore's own time-outs."""
        try:
            self._attach(self._gate, client)
        except (AttributeError, ImportError, TypeError) as error:
            if self._gate.attached:
                self._gate.attached = False
                self._report(
                    f"the function's own botocore or urllib3 is not as expected ({one_line(str(error))}): an answer "
                    f"that does not come is waited for up to {_TIMEOUT_S} s; bundle other versions, or use the "
                    "settings that FIRETEE_CLIENT=direct serves"
                )

    def _translate(self, error: Exception, stream: str) -> PutError:
        """What botocore raised, as what it means here."""
        gate, region = self._gate, self._region or ""
        name = type(error).__name__
        if isinstance(error, ImportError):
            return of_code("NoBoto3", str(error), stream, region)
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError

        answer = getattr(error, "response", None)
        if isinstance(answer, dict):  # ClientError
            return self._translate_answer(answer, getattr(error, "operation_name", ""), stream)
        if not gate.attached and isinstance(error, (HTTPClientError, NoConnection)):
            return _translate_blindly(error, name, getattr(self._client.meta, "endpoint_url", ""))
        if not gate.used:
            code = "NoCredentials" if "Credential" in name else "NoRegion" if name == "NoRegionError" else name
            return of_code(code, str(error), stream, region)
        host = gate.host
        if gate.ended or gate.aborted or name == "ReadTimeoutError":
            code = "ABORTED" if gate.aborted else "ETIMEDOUT"
            return of_network(TIMEOUT if gate.connected else CONNECT, code, "", host, ambiguous=gate.sent)
        if not gate.connected:
            return of_network(CONNECT, "TLS" if name == "SSLError" else _cause(error), str(error), host)
        if gate.answered and not isinstance(error, HTTPClientError):
            return bad_answer(f"{name}: {error}", stream, region)
        return of_network(
            RESET if gate.fresh or gate.answered else STALE, _cause(error), str(error), host, ambiguous=gate.sent
        )

    def _translate_answer(self, answer: dict[str, Any], operation: str, stream: str) -> PutError:
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        said = answer.get("Error", {})
        code, detail = str(said.get("Code", "")), str(said.get("Message", ""))
        if operation == "AssumeRole":
            kind = of_code(code, "", stream, status=status).kind
            return PutError(
                kind,
                code,
                f"could not assume the role {self._role_arn}: {code}: {one_line(detail)}",
                "allow the function's role sts:AssumeRole on it, and name the function's role in its trust policy",
            )
        unclear = status >= 500 and code == str(status)  # no answer of Firehose's own
        if unclear:
            code, status = f"HTTP{status}", 429 if status == 503 else status
        return of_code(code, detail, stream, self._region or "", status=status, ambiguous=unclear and status != 429)


def _translate_blindly(error: Exception, name: str, host: str) -> PutError:
    """Where no gate tells how far the call got: by the name of botocore's error."""
    if name == "ReadTimeoutError":
        return of_network(TIMEOUT, "ETIMEDOUT", "", host, ambiguous=True)
    if name == "ConnectionClosedError":
        return of_network(RESET, _cause(error), str(error), host, ambiguous=True)
    return of_network(CONNECT, "TLS" if name == "SSLError" else _cause(error), str(error), host)


def _cause(error: BaseException) -> str:
    """The name of the errno below what botocore and urllib3 wrapped around it, or of the innermost error."""
    from errno import errorcode
    from socket import gaierror

    seen: BaseException = error
    for _ in range(8):
        if isinstance(seen, gaierror):
            return "DNS"
        if isinstance(seen, OSError) and seen.errno is not None and seen.errno in errorcode:
            return errorcode[seen.errno]
        wrapped = [getattr(seen, "error", None), seen.__cause__, seen.__context__, *reversed(seen.args)]
        inner = next((item for item in wrapped if isinstance(item, BaseException)), None)
        if inner is None:
            break
        seen = inner
    return type(seen).__name__


def _load() -> None:
    """Import what the client needs, and take back the warning filters that this adds; raises ImportError.

    Meant for when the function's own threads wait: `catch_warnings` holds for all of them.
    """
    import sys

    if all(name in sys.modules for name in _MODULES):
        return
    import warnings
    from importlib import import_module

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("botocore.session")
        for name in _MODULES:
            try:
                import_module(name)
            except ImportError:  # another version keeps it elsewhere
                pass


def _make_client(attach: Callable[[Any], None], region: str | None, role_arn: str | None) -> Any:
    from botocore.session import Session

    session = Session()
    if role_arn is not None:
        source, session = session, Session()
        session.register_component("credential_provider", _role_provider(attach, source, region, role_arn))
    return _client(attach, session, "firehose", region)


def _client(attach: Callable[[Any], None], session: Any, service: str, region: str | None, **credentials: Any) -> Any:
    """A client that tries once, and whose connections pass the gate if they can."""
    from botocore.config import Config

    config = Config(
        connect_timeout=_TIMEOUT_S,
        read_timeout=_TIMEOUT_S,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=1,
        user_agent_extra=PRODUCT,
    )
    client = session.create_client(service, region_name=region, config=config, **credentials)
    attach(client)
    return client


def _role_provider(attach: Callable[[Any], None], source: Any, region: str | None, role_arn: str) -> Any:
    """botocore's own way to assume a role, with credentials that are fetched when they are first needed."""
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        CredentialProvider,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    def make_sts(service: str, **credentials: Any) -> Any:
        return _client(attach, source, service, region, **credentials)

    def fetch() -> Any:
        fetcher = AssumeRoleCredentialFetcher(
            make_sts, source.get_credentials(), role_arn, extra_args={"RoleSessionName": "firetee"}
        )
        return fetcher.fetch_credentials()

    class Provider(CredentialProvider):
        METHOD = "assume-role"

        def load(self) -> Any:
            return DeferredRefreshableCredentials(fetch, self.METHOD)

    return CredentialResolver([Provider()])
