"""A fake STS that lends roles, and a fake container credentials endpoint, as Lambda has with SnapStart."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qs

from .firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Key, Refused, check_signature
from .http import Connection, Request, Server, json_body, now


def _iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Sts(Server):
    """`AssumeRole` in the query protocol. What it lends is added to `keys`, which a fake Firehose may share.

    `lifetime_s`: how long what it lends is good for. A role in `denied` is not lent.
    """

    def __init__(self, keys: dict[str, Key], *, lifetime_s: float = 3600.0, denied: Iterable[str] = ()) -> None:
        super().__init__()
        self.lifetime_s = lifetime_s
        self.roles: list[str] = []  # each that was lent, in order
        self._keys = keys
        self._callers = dict(keys)
        self._denied = set(denied)
        self._numbers = itertools.count(1)

    def handle(self, request: Request, connection: Connection) -> None:
        try:
            check_signature(request, self._callers, "eu-west-1", now(), "sts")
        except Refused as refused:
            self._reply_error(connection, 403, refused.code, refused.message)
            return
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        role = form.get("RoleArn", "")
        if form.get("Action") != "AssumeRole" or not form.get("RoleSessionName"):
            self._reply_error(connection, 400, "ValidationError", "AssumeRole with a session name only")
        elif role in self._denied:
            self._reply_error(connection, 403, "AccessDenied", f"not authorized to perform: sts:AssumeRole on {role}")
        else:
            self._lend(role, connection)

    def _lend(self, role: str, connection: Connection) -> None:
        number = next(self._numbers)
        name, token = f"ASIAROLE{number}", f"role-token-{number}"
        expires = now() + self.lifetime_s
        self._keys[name] = Key("role-secret", token, expires)
        self.roles.append(role)
        connection.reply(
            200,
            f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
            <Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>
            <SessionToken>{token}</SessionToken><Expiration>{_iso(expires)}</Expiration></Credentials>
            <AssumedRoleUser><Arn>{role}/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
            </AssumeRoleResult></AssumeRoleResponse>""".encode(),
            {"Content-Type": "text/xml"},
        )

    @staticmethod
    def _reply_error(connection: Connection, status: int, code: str, message: str) -> None:
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        connection.reply(status, text.encode(), {"Content-Type": "text/xml"})


class Lent(NamedTuple):
    """One answer of the credentials endpoint: which key, and for how long."""

    access_key: str = ACCESS_KEY
    secret: str = SECRET_KEY
    token: str = TOKEN
    lifetime_s: float = 3600.0


class ContainerCredentials(Server):
    """``GET /credentials`` with the right `Authorization`; `script` has one entry an answer, the last one stays.

    An entry that is bytes is sent as the body, a number is an HTTP status, None hangs until the end.
    """

    AUTHORIZATION = "container-token"

    def __init__(self, script: Iterable[Lent | bytes | int | None] = (Lent(),)) -> None:
        super().__init__()
        self.script = list(script)
        self.fetched = 0

    def handle(self, request: Request, connection: Connection) -> None:
        if request.method != "GET" or request.path != "/credentials":
            connection.reply(404, b"")
            return
        if request.headers.get("authorization") != self.AUTHORIZATION:
            connection.reply(401, json_body({"code": "Unauthorized", "message": "wrong token"}))
            return
        self.fetched += 1
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Lent):
            body = {
                "AccessKeyId": entry.access_key,
                "SecretAccessKey": entry.secret,
                "Token": entry.token,
                "Expiration": _iso(now() + entry.lifetime_s),
            }
            connection.reply(200, json_body(body), {"Content-Type": "application/json"})
        elif isinstance(entry, bytes):
            connection.reply(200, entry)
        elif entry is None:
            self.pause(None)
        else:
            connection.reply(entry, b"{}")
