"""AWS for tests: moto's server, with the refusals of real Lambda and IAM that moto lacks, and faults on demand.

`FakeAws` runs moto's own WSGI application on a free port of this machine, behind a small middleware:

- `fail(operation, ...)` scripts an answer for the next calls of an operation: throttling, denied, conflict, ...
- Lambda's limits on layers and environment are enforced, as the service does;
- `iam:SimulatePrincipalPolicy` is answered from the role's inline policies (moto has no such operation);
- a bucket policy that only refuses requests without TLS refuses none: the fake stands for an endpoint with TLS (moto
  does not know `aws:SecureTransport` and would refuse everything);
- `calls` lists the operations that arrived, so that a test can say "nothing was written".
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ACCOUNT = DEFAULT_ACCOUNT_ID
REGION = "eu-west-1"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_LAMBDA_ROUTES = (
    ("PUT", r"/functions/[^/]+/configuration$", "UpdateFunctionConfiguration"),
    ("GET", r"/functions/[^/]+/configuration$", "GetFunctionConfiguration"),
    ("GET", r"/functions/[^/]+$", "GetFunction"),
    ("POST", r"/functions/?$", "CreateFunction"),
    ("GET", r"/functions/?$", "ListFunctions"),
    ("GET", r"/functions/[^/]+/versions$", "ListVersionsByFunction"),
    ("POST", r"/functions/[^/]+/versions$", "PublishVersion"),
    ("GET", r"/functions/[^/]+/aliases$", "ListAliases"),
    ("POST", r"/functions/[^/]+/aliases$", "CreateAlias"),
    ("GET", r"/tags/", "ListTags"),
    ("POST", r"/tags/", "TagResource"),
    ("DELETE", r"/tags/", "UntagResource"),
    ("POST", r"/layers/[^/]+/versions$", "PublishLayerVersion"),
    ("GET", r"/layers/[^/]+/versions$", "ListLayerVersions"),
    ("GET", r"/layers/[^/]+/versions/\d+$", "GetLayerVersion"),
    ("DELETE", r"/layers/[^/]+/versions/\d+$", "DeleteLayerVersion"),
    ("POST", r"/layers/[^/]+/versions/\d+/policy$", "AddLayerVersionPermission"),
)


_CONTENT = "/layer-content/"


class FakeAws:
    """A running fake. `url` goes into AWS_ENDPOINT_URL; `close` stops it."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._tls_only: dict[str, bytes] = {}  # bucket policies that moto is not told of, by path
        self.calls: list[str] = []
        self.failed_update = ""  # the reason why every function's last update has failed, if it has
        self.throttle: Callable[[str], bool] | None = None  # asked of each call whether to refuse it for its rate
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="fake-aws", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening and wait for the thread to end."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def reset(self) -> None:
        """Forget every resource, fault and call."""
        moto_api_backend.reset()
        with self._lock:
            self._faults.clear()
            self._tls_only.clear()
            self.calls.clear()
        self.failed_update = ""
        self.throttle = None

    def fail(
        self,
        operation: str,
        code: str,
        *,
        status: int = 400,
        message: str = "made to fail",
        times: int = 1,
        after: int = 0,
        carried_out: bool = False,
    ) -> None:
        """Answer the next `times` calls of the operation, leaving out the first `after`, with an error.

        `carried_out`: the request takes effect all the same, and only its answer is replaced.
        """
        with self._lock:
            self._faults.append(_Fault(operation, code, status, message, times, after, carried_out))

    def forget_faults(self) -> None:
        """Make no call fail any more."""
        with self._lock:
            self._faults.clear()

    def before(self, operation: str, action: Callable[[], None]) -> None:
        """Run `action` once when the operation next arrives: another person's change at the worst moment."""
        with self._lock:
            self._faults.append(_Fault(operation, "", 0, "", 1, 0, False, action))

    def writes(self) -> list[str]:
        """The calls so far that change something."""
        return [call for call in self.calls if not call.startswith(("Get", "List", "Describe", "Head", "Simulate"))]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        operation, service = _operation(environ, body)
        with self._lock:
            self.calls.append(operation)
            fault = next((each for each in self._faults if each.matches(operation)), None)
        if self.throttle is not None and self.throttle(operation):
            code = {"lambda": "TooManyRequestsException", "iam": "Throttling"}.get(service, "ThrottlingException")
            return _error(start_response, service, 429 if service == "lambda" else 400, code, "Rate exceeded")
        if fault is not None and fault.action is not None:
            fault.action()
            fault = None
        if fault is not None:
            if fault.carried_out:
                list(self._moto(environ, lambda *args: lambda data: None))
            return _error(start_response, service, fault.status, fault.code, fault.message)
        if operation == "UpdateFunctionConfiguration":
            refused = _lambda_refusal(json.loads(body))
            if refused:
                return _error(start_response, service, 400, *refused)
        if operation == "PutBucket:policy" and _is_tls_only(json.loads(body)):
            self._tls_only[environ["PATH_INFO"]] = body
            return _answer(start_response, "204 No Content", b"")
        if operation == "GetBucket:policy" and environ["PATH_INFO"] in self._tls_only:
            return _answer(start_response, "200 OK", self._tls_only[environ["PATH_INFO"]])
        if operation == "SimulatePrincipalPolicy":
            return _simulate(start_response, body)
        if environ["PATH_INFO"].startswith(_CONTENT):
            return _serve_layer(environ, start_response)
        if operation == "GetLayerVersion":
            return self._layer_version(environ, start_response)
        if self.failed_update and operation in {"GetFunction", "GetFunctionConfiguration"}:
            return self._with_failed_update(environ, start_response)
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer

    def _with_failed_update(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        said: list[str] = []
        document = json.loads(b"".join(self._moto(environ, lambda status, headers, *more: said.append(status))))
        configuration = document.get("Configuration", document)
        configuration |= {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": self.failed_update}
        return _answer(start_response, said[0], json.dumps(document).encode())

    def _layer_version(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """moto's answer, with an address at which there is something: the content is served from here."""
        said: list[str] = []
        content = b"".join(self._moto(environ, lambda status, headers, *more: said.append(status)))
        document = json.loads(content)
        if "Content" in document:
            document["Content"]["Location"] = f"{self.url}{_CONTENT}{document['LayerVersionArn']}"
        return _answer(start_response, said[0], json.dumps(document).encode())


class _Fault:
    def __init__(
        self,
        operation: str,
        code: str,
        status: int,
        message: str,
        times: int,
        after: int,
        carried_out: bool,
        action: Callable[[], None] | None = None,
    ) -> None:
        self.operation, self.code, self.status, self.message = operation, code, status, message
        self.times, self.after, self.carried_out, self.action = times, after, carried_out, action

    def matches(self, operation: str) -> bool:
        if operation != self.operation or not self.times:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


def _operation(environ: Environ, body: bytes) -> tuple[str, str]:
    """The operation's name as AWS has it, and the service."""
    found = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = found.group(1) if found else ""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rsplit(".", 1)[-1], service
    path, method = unquote(environ.get("PATH_INFO", "")), environ["REQUEST_METHOD"]
    if service == "lambda":
        for verb, pattern, name in _LAMBDA_ROUTES:
            if method == verb and re.search(pattern, path):
                return name, service
    if service == "s3":
        query = environ.get("QUERY_STRING", "").split("&")[0].split("=")[0]
        kind = "Object" if path.strip("/").count("/") else "Bucket"
        return f"{method.capitalize()}{kind}{query and ':' + query}", service
    action = parse_qs(body.decode(errors="replace")).get("Action", ["?"])[0]
    return action, service


def _error(start_response: StartResponse, service: str, status: int, code: str, message: str) -> Iterable[bytes]:
    if service in {"iam", "sts", "ec2", "s3"}:
        text = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        content = (
            f"<Error>{text}</Error>" if service == "s3" else f"<ErrorResponse><Error>{text}</Error></ErrorResponse>"
        ).encode()
        kind = "text/xml"
    else:
        content = json.dumps({"__type": code, "message": message, "Message": message}).encode()
        kind = "application/json"
    headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("x-amzn-errortype", code)]
    start_response(f"{status} Fault", headers)
    return [content]


def _answer(start_response: StartResponse, status: str, content: bytes, kind: str = "application/json") -> list[bytes]:
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
    return [content]


def _is_tls_only(document: dict[str, Any]) -> bool:
    """Whether every statement denies only what comes without TLS."""
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    return all(each["Effect"] == "Deny" and each.get("Condition") == without_tls for each in document["Statement"])


def _lambda_refusal(request: dict[str, Any]) -> tuple[str, str] | None:
    """What Lambda itself refuses in UpdateFunctionConfiguration, with its error code."""
    variables = (request.get("Environment") or {}).get("Variables") or {}
    measured = json.dumps(variables, separators=(",", ":"))
    if len(measured.encode()) > 4096:
        message = (
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {measured}"
        )
        return "InvalidParameterValueException", message
    if len(request.get("Layers") or []) > 5:
        return "InvalidParameterValueException", "Layers list must have length less than or equal to 5"
    return None


def _serve_layer(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """A layer version's zip, or the end of it, as S3 answers a Range."""
    name, version = environ["PATH_INFO"].removeprefix(_CONTENT).split(":")[-2:]
    content: bytes = get_backend("lambda")[ACCOUNT][REGION].get_layer_version(name, version).code_bytes
    wanted = re.fullmatch(r"bytes=-(\d+)", environ.get("HTTP_RANGE", ""))
    if wanted:
        return _answer(start_response, "206 Partial Content", content[-int(wanted.group(1)) :], "application/zip")
    return _answer(start_response, "200 OK", content, "application/zip")


def _simulate(start_response: StartResponse, body: bytes) -> Iterable[bytes]:
    """SimulatePrincipalPolicy, from the role's inline policies alone."""
    request = {key: values[0] for key, values in parse_qs(body.decode()).items()}
    role = request["PolicySourceArn"].rsplit("/", 1)[-1]
    action, resource = request["ActionNames.member.1"], request.get("ResourceArns.member.1", "*")
    iam = get_backend("iam")[ACCOUNT]["aws"]
    policies = [IAMPolicy(document) for document in iam.get_role(role).policies.values()]
    results = [each.is_action_permitted(action, resource) for each in policies]
    decision = "implicitDeny"
    if PermissionResult.PERMITTED in results:
        decision = "allowed"
    if PermissionResult.DENIED in results:
        decision = "explicitDeny"
    content = (
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
        f"<EvaluationResults><member><EvalActionName>{action}</EvalActionName>"
        f"<EvalResourceName>{resource}</EvalResourceName><EvalDecision>{decision}</EvalDecision></member>"
        "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    ).encode()
    return _answer(start_response, "200 OK", content, "text/xml")
