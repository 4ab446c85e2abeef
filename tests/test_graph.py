"""Graphs and how they are recorded."""

import numpy as np
import pytest

from whygrad.graph import Entry, Node, Recording
from whygrad.ops import OPS
from whygrad.sweep import Sweep


def recorded() -> Recording:
    recording = Recording()
    x = recording.leaf("x", np.array([[1.0, 2.0], [3.0, 4.0]]))
    w = recording.leaf("w", np.array([1.0, -1.0]))
    m = recording.apply("m", OPS["mul"], (x, w))
    recording.apply("p", OPS["power"], (m,), {"p": 3}, marked=True)
    recording.apply("s", OPS["add"], (m, x))
    return recording


def test_nodes_in_the_order_of_recording() -> None:
    graph = recorded().graph((Entry(3, 1),), ("C",), examples=2)
    assert [node.name for node in graph.nodes] == ["x", "w", "m", "p", "s"]
    assert [node.inputs for node in graph.nodes] == [(), (), (0, 1), (2,), (2, 0)]
    np.testing.assert_array_equal(graph.nodes[3].value, [[1, -8], [27, -64]])
    assert dict(graph.nodes[3].settings) == {"p": 3}
    assert [node.marked for node in graph.nodes] == [False, False, False, True, False]
    assert (graph.costs, graph.cost_names, graph.examples) == ((Entry(3, 1),), ("C",), 2)
    assert [graph.size(n) for n in range(5)] == [4, 2, 4, 4, 4]


def test_settings_that_are_not_given_are_the_declared_ones() -> None:
    recording = Recording()
    x = recording.leaf("x", np.array([-2.0]))
    a = recording.apply("a", OPS["leaky_relu"], (x,))
    graph = recording.graph(())
    assert dict(graph.nodes[a].settings) == dict(OPS["leaky_relu"].settings)
    assert graph.nodes[a].value[0] == pytest.approx(-2 * OPS["leaky_relu"].settings["slope"])


def test_users_are_the_nodes_that_use_one_and_how() -> None:
    users = recorded().graph(()).users()
    assert users == (((2, 0), (4, 1)), ((2, 1),), ((3, 0), (4, 0)), (), ())


def test_a_given_value_is_taken_as_it_is() -> None:
    recording = Recording()
    x = recording.leaf("x", np.array([1.0]))
    y = recording.apply("y", OPS["exp"], (x,), value=np.array([7.0]))
    local = recording.graph(()).local(y)
    assert (local.inputs[0][0], local.output[0]) == (1.0, 7.0)


def test_nodes_by_name() -> None:
    graph = recorded().graph(())
    assert graph.number("m") == 2
    with pytest.raises(KeyError, match="q"):
        graph.number("q")


def test_a_graph_is_finished_when_it_is_made() -> None:
    recording = recorded()
    graph = recording.graph(())
    recording.leaf("later", np.ones(1))
    assert len(graph.nodes) == 5
    with pytest.raises(AttributeError):
        graph.nodes[0].name = "other"
    assert Node("x", np.ones(1)).settings == {}


def test_an_input_that_is_taken_twice_is_one_edge() -> None:
    recording = Recording()
    x = recording.leaf("x", np.array([[3.0, -2.0]]))
    square = recording.apply("square", OPS["mul"], (x, x))
    ratio = recording.apply("ratio", OPS["div"], (square, square))
    graph = recording.graph((Entry(square, 0), Entry(ratio, 1)))
    assert graph.nodes[square].inputs == (x,)
    np.testing.assert_array_equal(graph.nodes[ratio].value, [[1.0, 1.0]])
    gradient = Sweep(graph, "gradient").values(x)
    np.testing.assert_allclose(gradient, [[[6.0, 0.0]], [[0.0, 0.0]]], atol=1e-15)
    np.testing.assert_array_equal(Sweep(graph, "count").values(x), [[[1, 0]], [[0, 1]]])


def test_a_contraction_with_itself_keeps_two_edges() -> None:
    recording = Recording()
    a = recording.leaf("A", np.array([[2.0]]))
    square = recording.apply("square", OPS["matmul"], (a, a))
    graph = recording.graph((Entry(square, 0),))
    assert Sweep(graph, "gradient").values(a).item() == 4.0
    assert Sweep(graph, "count").values(a).item() == 2
