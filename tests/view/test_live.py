"""The session behind the widget and the server: every change takes effect, every bad request is located."""

import base64
import io
import json
import pickle
import time
import zipfile
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as save_safetensors

import whygrad as wg
from whygrad.view.live import MOST_EQUATION, MOST_FILE, Session

W1 = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
W2 = np.array([[0.7, -0.8, 0.9], [-0.5, 0.6, 0.4], [0.3, 0.2, -0.1]])
W3 = np.array([[0.5, 0.9, -0.4], [-0.6, 0.8, 1.0]])
X, Y = np.array([0.5, -1.0]), np.array([1.0, 0.0])


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(wg.Network.default().run())


def ask(session: Session, do: str, **more: Any) -> Any:
    reply = json.loads(session.answer_text(json.dumps({"do": do, **more})))
    assert reply["ok"], reply
    return reply["result"]


def refused(session: Session, request: Any) -> Any:
    reply = session.answer(request)
    assert not reply["ok"], reply
    assert set(reply) == {"ok", "error", "stamp"}
    assert "Traceback" not in reply["error"]["message"]
    return reply["error"]


def slope(w1: Any = W1, x: Any = X, y: Any = Y) -> Any:
    """The derivative of the total by W3, worked out by hand: 2 (a3 - y) a2."""
    a2 = W2 @ w1 @ x
    return np.outer(2 * (W3 @ a2 - y), a2)


@pytest.mark.parametrize(
    ("state", "right"),
    [
        ({}, slope()),
        ({"parameters": {"w1.0.1": 2.5}}, slope(w1=np.array([[0.1, 2.5], *W1[1:]]))),
        ({"parameters": {"W1": (2 * W1).tolist()}}, slope(w1=2 * W1)),
        (
            {"parameters": {"W1": (2 * W1).tolist(), "w1.0.0": 0}},
            slope(w1=np.array([[0, 0.4], *(2 * W1[1:])])),
        ),
        ({"x": [3, 4]}, slope(x=np.array([3, 4]))),
        ({"x": [[3, 4]]}, slope(x=np.array([3, 4]))),
        ({"x": {"0.1": 7}}, slope(x=np.array([0.5, 7]))),
        ({"y": {"0.0": -2}}, slope(y=np.array([-2, 0]))),
        ({"cost": "half_squared_error"}, slope() / 2),
        ({"notation": "nielsen", "example": 0}, slope()),
    ],
)
def test_every_change_takes_effect(session: Session, state: Any, right: Any) -> None:
    for to in range(2):
        for source in range(3):
            found = ask(session, "explain", quantity=f"w3.{to}.{source}", state=state)
            assert found["value"] == pytest.approx(right[to, source], rel=1e-12)


def test_activations_change(session: Session) -> None:
    found = ask(session, "explain", quantity="w3.0.0", state={"activation": ["tanh", "identity", "identity"]})
    a2 = W2 @ np.tanh(W1 @ X)
    assert found["value"] == pytest.approx((2 * (W3 @ a2 - Y))[0] * a2[0])


def test_the_document_follows_the_state(session: Session) -> None:
    before = ask(session, "document")
    state = {"parameters": {"w3.0.0": 1.0}, "chosen": "w2.0.0", "of": "C0", "notation": "nielsen"}
    after = ask(session, "document", state=state)
    assert before["version"] == after["version"] == 1
    changed = wg.Network.default().with_parameters(W3=[[1.0, 0.9, -0.4], [-0.6, 0.8, 1.0]])
    right = changed.run().explain("w^0_{0,2}", of=0)
    assert after["scenes"]["all"]["explanations"]["w2.0.0|C0"]["value"] == pytest.approx(right.value)
    assert after["state"]["notation"] == "nielsen"
    assert before["data"]["parameters"]["W3"][0][0] == 0.5
    assert after["data"]["parameters"]["W3"][0][0] == 1.0


def test_requests_leave_nothing_behind(session: Session) -> None:
    first = ask(session, "document")
    ask(session, "document", state={"parameters": {"w1.0.0": 9.0}, "x": [9, 9], "activation": "tanh"})
    assert ask(session, "document") == first
    assert session.run.network.parameters["W1"][0, 0] == 0.1


def test_one_example_of_several() -> None:
    net = wg.Network([2, 2], seed=3)
    x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2))
    session = Session(net.run(x, y))
    w = np.array(net.parameters["W1"])
    each = [np.outer(2 * w @ one, one)[0, 0] for one in x]
    for example in (0, 1):
        found = ask(session, "explain", quantity="w1.0.0", state={"example": example})
        assert found["value"] == pytest.approx(each[example])
    assert ask(session, "explain", quantity="w1.0.0")["value"] == pytest.approx(sum(each))
    assert "0 to 1" in refused(session, {"do": "document", "state": {"example": 2}})["message"]


@pytest.mark.parametrize("name", ["w1.0.0", "w^0_{0,1}"])
def test_quantities_go_by_key_and_by_name(session: Session, name: str) -> None:
    assert ask(session, "explain", quantity=name, of="C1")["quantity"] == "w^0_{0,1}"
    assert ask(session, "explain", quantity=name, of=1)["of"] == "C^1"


def test_anything_by_anything(session: Session) -> None:
    found = ask(session, "explain", quantity="a3.0", by="a2.0")
    assert (found["of"], found["quantity"], found["value"]) == ("a^0_3", "a^0_2", 0.5)


def test_a_verdict_has_its_missing_paths(session: Session) -> None:
    found = ask(session, "check", equation="dC^0/da^0_1 = da^0_2/da^0_1 dC^0/da^0_2")
    assert found["holds"] is False
    assert [path["keys"] for path in found["missing_paths"]] == [
        ["a1.0", "a2.1", "a3.0", "C0"],
        ["a1.0", "a2.2", "a3.0", "C0"],
    ]
    assert found["missing_paths"][0]["names"] == ["a^0_1", "a^1_2", "a^0_3", "C^0"]
    assert found["spans"] == [[14, 39]]
    assert found["tree"][:2] == ["div", {"class": "whygrad verdict"}]
    assert found["tree"][2][0] == ["p", {"class": "head wrong"}, ["It does not hold."]]


def test_numbers_are_judged_for_the_changed_weights(session: Session) -> None:
    equation = "da^0_3/da^0_2 = 0.25"
    assert ask(session, "check", equation=equation)["holds"] is False
    assert ask(session, "check", equation=equation, state={"parameters": {"w3.0.0": 0.25}})["holds"] is True


def test_equations_are_read_in_the_chosen_notation(session: Session) -> None:
    equation = r"\frac{\partial C}{\partial w^3_{11}} = \delta^3_1 a^2_1"
    assert ask(session, "check", equation=equation, state={"notation": "nielsen"})["holds"] is not False
    assert refused(session, {"do": "check", "equation": equation})["where"] == "request.equation"


def uploaded(kind: str, arrays: dict[str, Any]) -> dict[str, str]:
    if kind == "npz":
        file = io.BytesIO()
        np.savez(file, **arrays)
        data = file.getvalue()
    else:
        data = save_safetensors({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return {"name": f"mine.{kind}", "data_base64": base64.b64encode(data).decode()}


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_gradients_in_a_file_are_diagnosed(session: Session, kind: str) -> None:
    right = dict(wg.Network.default().run().gradients().total)
    assert ask(session, "diagnose", **uploaded(kind, right))["right"] is True
    found = ask(session, "diagnose", **uploaded(kind, {name: -g for name, g in right.items()}))
    assert found["right"] is False
    assert found["findings"][0]["mistake"] == "sign_flipped"
    assert found["parameters"]["W2"]["wrong"] == [[True] * 3] * 3
    assert found["html"].startswith('<div class="wg-diagnosis">')
    declared = {"sign": "descent", **uploaded(kind, {name: -g for name, g in right.items()})}
    assert ask(session, "diagnose", **declared)["right"] is True


def test_gradients_are_judged_for_the_changed_network(session: Session) -> None:
    changed = wg.Network.default().with_parameters(W1=2 * W1).run()
    mine = uploaded("npz", dict(changed.gradients().total))
    assert ask(session, "diagnose", state={"parameters": {"W1": (2 * W1).tolist()}}, **mine)["right"] is True
    assert ask(session, "diagnose", **mine)["right"] is False


class Boom:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_never_loaded(session: Session) -> None:
    file = io.BytesIO()
    np.savez(file, W1=np.array([Boom()], dtype=object))
    sent = {"do": "diagnose", "name": "mine.npz", "data_base64": base64.b64encode(file.getvalue()).decode()}
    assert refused(session, sent)["message"].startswith("mine.npz: not an npz file of plain arrays:")
    sent["data_base64"] = base64.b64encode(pickle.dumps(Boom())).decode()
    assert refused(session, sent)["message"].startswith("mine.npz: not an npz file of plain arrays:")


def test_archives_that_unpack_to_too_much_are_refused(session: Session) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("W1.npy", bytes(MOST_FILE + 1))
    sent = {"do": "diagnose", "name": "bomb.npz", "data_base64": base64.b64encode(file.getvalue()).decode()}
    assert len(sent["data_base64"]) < 100_000
    assert (
        refused(session, sent)["message"]
        == "bomb.npz: expected at most 16,777,216 bytes, unpacks to 16,777,217"
    )


DATA = uploaded("npz", {"W1": W1})["data_base64"]


@pytest.mark.parametrize(
    ("request_", "where", "message"),
    [
        (None, "request", "expected an object, found None"),
        ([1], "request", "expected an object, found [1]"),
        ({}, "request.do", "expected one of document, check, explain, diagnose, found None"),
        ({"do": "eval"}, "request.do", "found 'eval'"),
        ({"do": ["document"]}, "request.do", "found ['document']"),
        ({"do": "document", "cod": 1}, "request", "expected do, state, stamp, found 'cod'"),
        ({"do": "document", "state": 3}, "state", "expected an object, found 3"),
        ({"do": "document", "state": {"wights": 1}}, "state", "found 'wights'"),
        ({"do": "document", "state": {"parameters": 3}}, "state.parameters", "expected an object such as"),
        ({"do": "document", "state": {"parameters": {"w1.0.9": 1}}}, "state.parameters", "has no w1.0.9"),
        ({"do": "document", "state": {"parameters": {"b1.0": 1}}}, "state.parameters", "has no b1.0"),
        ({"do": "document", "state": {"parameters": {"a1.0": 1}}}, "state.parameters", "weights and biases"),
        ({"do": "document", "state": {"parameters": {"q": 1}}}, "state.parameters", "found 'q'"),
        (
            {"do": "document", "state": {"parameters": {"w1.0.0": "1"}}},
            "state.parameters.w1.0.0",
            "expected a finite number, found '1'",
        ),
        (
            {"do": "document", "state": {"parameters": {"w1.0.0": 1e999}}},
            "state.parameters.w1.0.0",
            "expected a finite number, found inf",
        ),
        ({"do": "document", "state": {"parameters": {"w1.0.0": 1e200}}}, "state", "expected finite costs"),
        (
            {"do": "document", "state": {"parameters": {"W1": [[1, 2]]}}},
            "state.parameters",
            "W1: expected the shape (3, 2), found (1, 2)",
        ),
        ({"do": "document", "state": {"parameters": {"W1": "x"}}}, "state.parameters", "W1: expected real"),
        ({"do": "document", "state": {"x": [1, 2, 3]}}, "state.x", "expected the shape (1, 2), found (3,)"),
        ({"do": "document", "state": {"x": {"0.2": 1}}}, "state.x", "up to 0.1, found '0.2'"),
        ({"do": "document", "state": {"x": {"1.0": 1}}}, "state.x", "up to 0.1, found '1.0'"),
        ({"do": "document", "state": {"y": {"-1.0": 1}}}, "state.y", "up to 0.1, found '-1.0'"),
        ({"do": "document", "state": {"y": {"0.0": None}}}, "state.y.0.0", "a finite number, found None"),
        ({"do": "document", "state": {"activation": "reluu"}}, "state.activation", "did you mean 'relu'?"),
        ({"do": "document", "state": {"activation": 3}}, "state.activation", "expected a name such as 'relu'"),
        ({"do": "document", "state": {"cost": "huber"}}, "state.cost", "expected one of squared_error"),
        ({"do": "document", "state": {"cost": "cross_entropy"}}, "state", "try a softmax"),
        ({"do": "document", "state": {"notation": "foo"}}, "state.notation", "there is no notation 'foo'"),
        ({"do": "document", "state": {"notation": 3}}, "state.notation", "expected a name such as 'nielsen'"),
        ({"do": "document", "state": {"example": 1}}, "state.example", "from 0 to 0, found 1"),
        ({"do": "document", "state": {"example": "0"}}, "state.example", "a whole number, found '0'"),
        ({"do": "document", "state": {"chosen": "q"}}, "state.chosen", "no quantity with this name"),
        ({"do": "document", "state": {"chosen": "w9.0.0"}}, "state.chosen", "has no w9.0.0"),
        ({"do": "document", "state": {"chosen": {}}}, "state.chosen", "expected a text, found {}"),
        ({"do": "document", "state": {"of": 7}}, "state.of", "from 0 to 1"),
        ({"do": "document", "state": {"semiring": 3}}, "state.semiring", "expected a text, found 3"),
        ({"do": "check"}, "request.equation", "expected a text, found nothing"),
        ({"do": "check", "equation": ""}, "request.equation", "expected a text, found ''"),
        (
            {"do": "check", "equation": "x" * (MOST_EQUATION + 1)},
            "request.equation",
            "expected at most 4,000 characters, found 4,001",
        ),
        ({"do": "explain", "quantity": True}, "request.quantity", "expected a whole number, found True"),
        ({"do": "explain", "quantity": "total"}, "request", "found the total"),
        ({"do": "diagnose", "name": "x.npz"}, "request.data_base64", "expected a text, found nothing"),
        ({"do": "diagnose", "name": "x.pt", "data_base64": DATA}, "request.name", "x.pt: expected a .npz or"),
        ({"do": "diagnose", "name": "x.npz", "data_base64": "%"}, "request.data_base64", "expected base64"),
        ({"do": "diagnose", "name": "x.npz", "data_base64": "é"}, "request.data_base64", "expected base64"),
        ({"do": "diagnose", "name": "x.npz", "data_base64": "aGk="}, "request.name", "x.npz: not an npz"),
        (
            {"do": "diagnose", "name": "x.safetensors", "data_base64": DATA},
            "request.name",
            "x.safetensors: not a safetensors file of arrays",
        ),
        (
            {"do": "diagnose", "name": "x.npz", "data_base64": DATA, "layout": "??"},
            "request.data_base64",
            "layout: expected one of",
        ),
        (
            {"do": "diagnose", "name": "x.npz", "data_base64": DATA, "learning_rate": "1"},
            "request.learning_rate",
            "a finite number, found '1'",
        ),
        (
            {"do": "diagnose", "name": "x.npz", "data_base64": "A" * (MOST_FILE * 4 // 3 + 5)},
            "request.data_base64",
            "expected at most 22,369,625 characters",
        ),
    ],
)  # fmt: skip
def test_bad_requests_are_located(session: Session, request_: Any, where: str, message: str) -> None:
    error = refused(session, request_)
    assert message in error["message"]
    assert error["where"] == where


def test_an_equation_that_can_not_be_read_says_where(session: Session) -> None:
    error = refused(session, {"do": "check", "equation": "dC^0/da^0_1 = dq", "stamp": 3})
    assert error["position"] == 14
    assert "no name that was declared" in error["message"]


def test_depth_is_no_crash(session: Session) -> None:
    deep = "dC^0/da^0_1 = " + "(" * 1500 + "1" + ")" * 1500
    assert refused(session, {"do": "check", "equation": deep})["message"]
    reply = json.loads(session.answer_text("[" * 100_000))
    assert reply["ok"] is False
    assert reply["error"]["message"].startswith("request: expected JSON")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b'{"do": "document"', "nothing"])
def test_what_is_no_json_is_refused(session: Session, text: Any) -> None:
    reply = json.loads(session.answer_text(text))
    assert reply["error"]["message"].startswith("request: expected JSON")


@pytest.mark.parametrize(
    ("text", "found"), [("null", "None"), ("[]", "[]"), ("3", "3"), ('"document"', "'document'")]
)
def test_json_that_is_no_object_is_refused(session: Session, text: str, found: str) -> None:
    assert json.loads(session.answer_text(text))["error"] == {
        "message": f"request: expected an object, found {found}",
        "where": "request",
    }


def test_the_stamp_comes_back(session: Session) -> None:
    assert session.answer({"do": "document", "stamp": [1, "a"]})["stamp"] == [1, "a"]
    assert session.answer({"do": "nonsense", "stamp": 4})["stamp"] == 4


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    wide = Session(wg.Network([60, 60, 60, 60], activation="tanh", seed=0).run(), seconds=0.05)
    begun = time.monotonic()
    error = refused(wide, {"do": "check", "equation": "dC^0/da^0_1 = dC^0/da^i_2 da^j_2/da^0_1 a^k_1"})
    assert "takes longer than 0.05 seconds" in error["message"]
    assert time.monotonic() - begun < 5
    time.sleep(0.6)  # nothing is raised afterwards


def test_a_fault_of_ours_is_a_message_too(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("whygrad.view.state.State.document", broken)
    error = refused(session, {"do": "document"})
    assert error["message"] == "whygrad failed here (ZeroDivisionError: oh); please report it"
    assert "a request could not be answered" in caplog.text


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>"])
def test_names_in_answers_are_text(session: Session, name: str) -> None:
    for request in (
        {"do": "check", "equation": f"dC^0/da^0_1 = {name}"},
        {"do": "diagnose", "name": f"{name}.npz", "data_base64": DATA},
    ):
        reply = session.answer(request)
        if reply["ok"]:
            assert "<img" not in reply["result"]["html"]
            assert "<script" not in reply["result"]["html"]
