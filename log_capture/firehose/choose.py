"""Which client serves a stream: the light one in the plain case, botocore in every other."""

from __future__ import annotations

from ..sending.delivery import Target
from .credentials import PLAIN_HOSTS, ContainerCredentials, EnvironmentCredentials
from .protocol import stream_region

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..sending.client import Client

#: The beginning of a region -> the suffix of its partition's names (botocore/data/endpoints.json); else `_SUFFIX`.
_SUFFIXES = (
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eusc-", "amazonaws.eu"),
)
_SUFFIX = "amazonaws.com"

_PORTS = {"http": 80, "https": 443}

#: Variables that only botocore understands.
_ONLY_BOTO = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
#: Switches that only botocore understands when they are on.
_ONLY_BOTO_ON = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")


class Choice:
    """`name` is ``direct`` or ``boto3``, `reason` says in a clause why."""

    __slots__ = ("name", "reason")

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason


class Url:
    """A URL taken apart; `path` is empty for ``/``."""

    __slots__ = ("host", "path", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int, path: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path


def choose(requested: str, environ: Mapping[str, str], stream: str, role_arn: str | None) -> Choice:
    """``direct`` wherever it serves, unless `requested` is ``boto3``; pure.

    `requested` is ``auto``, ``direct`` or ``boto3``. Where ``direct`` was requested and does not serve, it is not
    obeyed: it would send with the wrong credentials, or past the proxy. Files in `~/.aws` are not looked for: Lambda
    has none.
    """
    if requested == "boto3":
        return Choice("boto3", "FIRETEE_CLIENT=boto3")
    reason = _why_not_direct(environ, stream, role_arn)
    return Choice("boto3", reason) if reason else Choice("direct", "nothing needs boto3")


def make_client(
    stream: str,
    *,
    environ: Mapping[str, str],
    requested: str = "auto",
    role_arn: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Client:
    """The client for one stream, name or ARN; touches neither network nor files. `environ` is a snapshot.

    Called while we boot, so that only the client that serves is imported.
    """
    chosen = choose(requested, environ, stream, role_arn)
    region = region_of(environ, stream)
    if chosen.name == "boto3":
        if requested == "direct":
            report(f"FIRETEE_CLIENT=direct does not serve {chosen.reason}; using boto3")
        from .boto import Boto3Client

        return Boto3Client(region=region, environ=environ, role_arn=role_arn, report=report)
    from ..net.http import Connection
    from .direct import DirectClient

    assert region is not None
    url = endpoint(environ, region)
    assert url is not None
    default = url.port == _PORTS[url.scheme]
    return DirectClient(
        Connection(url.host, url.port, tls=url.scheme == "https", environ=environ),
        _credentials(environ),
        host=url.host if default else f"{url.host}:{url.port}",
        region=region,
    )


def make_targets(
    streams: Sequence[str],
    *,
    environ: Mapping[str, str],
    requested: str = "auto",
    role_arn: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Target]:
    """A target for each stream, in the given order; what is true of all is reported once."""
    said: set[str] = set()

    def report_once(text: str) -> None:
        if text not in said:
            said.add(text)
            report(text)

    return [
        Target(
            stream,
            make_client(stream, environ=environ, requested=requested, role_arn=role_arn, report=report_once),
        )
        for stream in streams
    ]


def region_of(environ: Mapping[str, str], stream: str) -> str | None:
    """The ARN's region, else the function's; None if there is none."""
    return stream_region(stream) or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None


def endpoint(environ: Mapping[str, str], region: str) -> Url | None:
    """Where Firehose is: what the variables say, else the region's public name. None for a URL that is not understood.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    if not _on(environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")):
        for variable in ("AWS_ENDPOINT_URL_FIREHOSE", "AWS_ENDPOINT_URL"):
            if given := environ.get(variable):
                return parse_url(given)
    suffix = next((suffix for start, suffix in _SUFFIXES if region.startswith(start)), _SUFFIX)
    return Url("https", f"firehose.{region}.{suffix}", 443, "")


def parse_url(text: str) -> Url | None:
    """``http[s]://host[:port][/path]``, the name in ASCII; None for anything else."""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    netloc, slash, path = rest.partition("/")
    host, colon, port = netloc.partition(":")
    plain = host.isascii() and host.replace("-", "").replace(".", "").replace("_", "").isalnum()
    if scheme not in _PORTS or not separator or not plain or (colon and not _is_port(port)):
        return None
    if "?" in path or "#" in path:
        return None
    return Url(scheme, host.lower(), int(port) if colon else _PORTS[scheme], slash + path if path else "")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _why_not_direct(environ: Mapping[str, str], stream: str, role_arn: str | None) -> str:
    """The first thing that only botocore serves; empty if there is none."""
    if role_arn:
        return "FIRETEE_ROLE_ARN"
    for variable in _ONLY_BOTO:
        if environ.get(variable):
            return variable
    for variable in _ONLY_BOTO_ON:
        if _on(environ.get(variable)):
            return variable
    region = region_of(environ, stream)
    if region is None or not region.isascii() or not region.replace("-", "").isalnum():
        return "a missing or strange region"
    url = endpoint(environ, region)
    if url is None or url.path:
        return "this endpoint URL"
    if proxy := _proxy(environ, url):
        return f"a proxy ({proxy})"
    if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
        return "" if _fit_for_headers(environ, _KEYS) else "credentials with strange characters"
    container = parse_url(environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""))
    if container is None or container.scheme != "http" or container.host not in PLAIN_HOSTS:
        return "credentials from elsewhere than the environment"
    token = _fit_for_headers(environ, ("AWS_CONTAINER_AUTHORIZATION_TOKEN",))
    return "" if token else "a container authorization token with strange characters"


def _fit_for_headers(environ: Mapping[str, str], variables: Sequence[str]) -> bool:
    """Whether these are without line breaks and the like, which would become part of the request."""
    values = [environ.get(variable, "") for variable in variables]
    return all(value.isascii() and value.isprintable() for value in values)


def _credentials(environ: Mapping[str, str]) -> EnvironmentCredentials | ContainerCredentials:
    if environ.get("AWS_ACCESS_KEY_ID"):
        return EnvironmentCredentials(environ)
    url = parse_url(environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    assert url is not None
    return ContainerCredentials(url.host, url.port, url.path or "/", environ)


def _proxy(environ: Mapping[str, str], url: Url) -> str:
    """The variable that puts a proxy before `url`, or none; read as `urllib.request.getproxies_environment` does."""
    for variable in (f"{url.scheme}_proxy", f"{url.scheme}_PROXY".upper()):
        if environ.get(variable):
            return "" if _bypasses(environ.get("no_proxy") or environ.get("NO_PROXY") or "", url) else variable
    return ""


def _bypasses(no_proxy: str, url: Url) -> bool:
    """Whether a `no_proxy` list has this host, or a domain it is in."""
    for item in no_proxy.lower().split(","):
        name = item.strip().lstrip(".")
        for host in (url.host, f"{url.host}:{url.port}"):
            if name and (name in ("*", host) or host.endswith("." + name)):
                return True
    return False


def _on(text: str | None) -> bool:
    return (text or "").strip().lower() == "true"
