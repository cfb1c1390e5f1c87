"""Where the credentials come from: the environment, the container's endpoint, a role of another account."""

from __future__ import annotations

import pytest

from tests.end_to_end.complete import arrived, invoke_until, texts
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import ACCESS_KEY, Key
from tests.fakes.sts import ContainerCredentials, Lent, Sts

SOURCE = 'def handler(event, context):\n    print("line", event["number"])\n    return "answered"\n'
#: As with SnapStart, where Lambda sets none of these.
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
ROLE = "arn:aws:iam::210987654321:role/writes-logs"

CLIENT = pytest.mark.parametrize("client", ["direct", "boto3"])

pytestmark = pytest.mark.newest_python


@CLIENT
def test_the_environment_variables_sign(stage: Stage, client: str) -> None:
    stage.run(SOURCE, [{"number": 0}, {"number": 1}], env={"FIRETEE_CLIENT": client})
    assert {call.outcome for call in stage.firehose.calls} == {"ok"}
    assert texts(stage.firehose.lines(STREAM)) == ["line 0", "line 1"]


@CLIENT
def test_the_containers_endpoint_lends_credentials_and_is_asked_again_before_they_expire(
    stage: Stage, client: str
) -> None:
    lifetime_s = 2.0
    keys = stage.firehose.keys
    keys.clear()
    first, second = Lent("ASIAFIRST", "one", "token-1", lifetime_s), Lent("ASIASECOND", "two", "token-2")
    with ContainerCredentials([first, second]) as endpoint:
        env = {
            **NO_KEYS,
            "FIRETEE_CLIENT": client,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url + "/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": endpoint.AUTHORIZATION,
        }
        keys.update(ASIAFIRST=Key("one", "token-1"), ASIASECOND=Key("two", "token-2"))
        with stage.environment(SOURCE, env=env) as emulator:
            emulator.invoke({"number": 0})
            seconds = invoke_until(emulator, lambda: endpoint.fetched == 2, event={"number": 1})
            del keys["ASIAFIRST"]  # from now on only what was fetched the second time is good
            emulator.invoke({"number": 2})
            invoke_until(emulator, lambda: arrived(stage.firehose.lines(STREAM), ["line 2"]), event={"number": 2})
            emulator.shutdown()
        assert seconds < lifetime_s
        assert endpoint.fetched == 2
    assert {call.outcome for call in stage.firehose.calls} == {"ok"}


def test_a_role_of_another_account_is_assumed_and_signs(stage: Stage) -> None:
    keys = stage.firehose.keys
    with Sts(keys) as sts:
        del keys[ACCESS_KEY]  # the function's own credentials are good for STS only
        env = {"FIRETEE_ROLE_ARN": ROLE, "AWS_ENDPOINT_URL_STS": sts.url}
        stage.run(SOURCE, [{"number": 0}, {"number": 1}], env=env)
        assert sts.roles == [ROLE]
    assert {call.outcome for call in stage.firehose.calls} == {"ok"}
    assert texts(stage.firehose.lines(STREAM)) == ["line 0", "line 1"]


def test_a_role_that_may_not_be_assumed_is_said_once_and_costs_no_invocation(stage: Stage) -> None:
    with Sts(stage.firehose.keys, denied=[ROLE]) as sts:
        env = {"FIRETEE_ROLE_ARN": ROLE, "AWS_ENDPOINT_URL_STS": sts.url}
        with stage.environment(SOURCE, env=env) as emulator:
            for number in range(3):
                assert emulator.invoke({"number": number}).body == b'"answered"'
            (said,) = (line for line in emulator.stderr.decode().splitlines() if line.startswith("[firetee]"))
    assert ROLE in said
    assert stage.firehose.calls == []
