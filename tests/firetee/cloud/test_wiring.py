"""Attaching and detaching are inverses, whatever the function's configuration was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firetee.cloud import wiring
from firetee.cloud.wiring import EXEC_WRAPPER, Wiring

LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:firetee:3"
OLD_LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:firetee:2"
OTHER_LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:other:7"

_values = st.text("abc/=,.", max_size=8)
_variables = st.dictionaries(
    st.sampled_from(
        ["PATH_TO_X", "AWS_LAMBDA_EXEC_WRAPPER", "FIRETEE_STREAM", "FIRETEE_FLUSH", "FIRETEE_EXEC_WRAPPER", "MODE"]
    ),
    _values,
)
_wrappers = st.sampled_from([{}, {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel"}, {"AWS_LAMBDA_EXEC_WRAPPER": EXEC_WRAPPER}])
_layers = st.lists(st.sampled_from([OLD_LAYER, OTHER_LAYER, LAYER]), unique_by=wiring.is_ours, max_size=2)
wirings = st.builds(
    lambda env, wrapper, layers: Wiring({**env, **wrapper}, tuple(layers)), _variables, _wrappers, _layers
)
settings = st.dictionaries(st.sampled_from(["FIRETEE_STREAM", "FIRETEE_FLUSH", "FIRETEE_TAGS"]), _values, min_size=1)


def bare(before: Wiring) -> Wiring:
    """What detaching is to bring back: what was there, or, where that ran with firetee already, the same without."""
    return wiring.detached(before, None) if wiring.is_attached(before) else before


@given(wirings, settings)
def test_what_is_remembered_never_has_firetee_running(before: Wiring, wish: dict[str, str]) -> None:
    there = wiring.attached(before, wish, LAYER)
    assert not wiring.is_attached(wiring.detached(there, wiring.remember(there, None)))


@given(wirings, settings)
def test_detaching_restores_what_was_there(before: Wiring, wish: dict[str, str]) -> None:
    record = wiring.remember(before, None)
    assert wiring.detached(wiring.attached(before, wish, LAYER), record) == bare(before)


@given(wirings, settings)
def test_attaching_twice_is_attaching_once(before: Wiring, wish: dict[str, str]) -> None:
    once = wiring.attached(before, wish, LAYER)
    assert wiring.attached(once, wish, LAYER) == once


@given(wirings, settings, settings)
def test_detaching_after_two_attaches_restores_what_was_there_before_the_first(
    before: Wiring, first: dict[str, str], second: dict[str, str]
) -> None:
    record = wiring.remember(before, None)
    once = wiring.attached(before, first, OLD_LAYER)
    assert wiring.remember(once, record) == record
    assert wiring.detached(wiring.attached(once, second, LAYER), record) == bare(before)


@given(wirings, settings)
def test_what_others_add_in_between_stays(before: Wiring, wish: dict[str, str]) -> None:
    record = wiring.remember(before, None)
    there = wiring.attached(before, wish, LAYER)
    touched = Wiring({**there.env, "LATER": "1"}, (*there.layers, "arn:aws:lambda:eu-west-1:1:layer:later:1"))
    after = wiring.detached(touched, record)
    assert after.env == {**bare(before).env, "LATER": "1"}
    assert after.layers == (*bare(before).layers, "arn:aws:lambda:eu-west-1:1:layer:later:1")


def test_another_exec_wrapper_is_chained() -> None:
    there = wiring.attached(Wiring({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}, ()), {}, LAYER)
    assert there.env == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper",
        "FIRETEE_EXEC_WRAPPER": "/opt/otel-instrument",
    }


def test_an_older_version_of_the_layer_is_replaced_in_its_place() -> None:
    there = wiring.attached(Wiring({}, (OLD_LAYER, OTHER_LAYER)), {}, LAYER)
    assert there.layers == (LAYER, OTHER_LAYER)


def test_without_a_record_the_configuration_itself_tells_what_to_restore() -> None:
    by_hand = Wiring(
        {
            "AWS_LAMBDA_EXEC_WRAPPER": EXEC_WRAPPER,
            "FIRETEE_EXEC_WRAPPER": "/opt/otel-instrument",
            "FIRETEE_STREAM": "s",
            "MODE": "x",
        },
        (OTHER_LAYER, LAYER),
    )
    assert wiring.detached(by_hand, None) == Wiring(
        {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument", "MODE": "x"}, (OTHER_LAYER,)
    )


def test_an_exec_wrapper_that_somebody_set_later_is_left_alone() -> None:
    later = Wiring({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/new", "FIRETEE_STREAM": "s"}, (LAYER,))
    assert wiring.detached(later, None) == Wiring({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/new"}, ())


def test_a_sixth_layer_is_refused_and_the_others_are_named() -> None:
    layers = tuple(f"arn:aws:lambda:eu-west-1:1:layer:l{n}:1" for n in range(5))
    problem = wiring.too_large(wiring.attached(Wiring({}, layers), {}, LAYER), (LAYER,))
    assert problem is not None
    assert "already has 5 layers (l0, l1, l2, l3, l4)" in problem[0]


def test_variables_beyond_4_kb_are_refused_and_the_longest_is_named() -> None:
    problem = wiring.too_large(Wiring({"BIG": "x" * 4090, "SMALL": "y"}, ()))
    assert problem is not None
    assert "the longest is BIG" in problem[1]
    assert wiring.too_large(Wiring({"BIG": "x" * (4096 - len('{"BIG":""}'))}, ())) is None


def test_the_second_stream_for_errors_is_one_that_the_role_must_be_allowed_and_doctor_looks_at() -> None:
    env = {"FIRETEE_STREAM": "logs, more", "FIRETEE_STREAM_ERRORS": "alerts,logs"}
    assert wiring.named_streams(env) == ["logs", "more", "alerts"]
    assert wiring.named_streams({"FIRETEE_STREAM_ERRORS": "alerts"}) == [], "firetee does not run without the first"
