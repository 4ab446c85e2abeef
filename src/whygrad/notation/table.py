r"""The table of notations: one record each, and nothing else to write for a new one.

A template (`template.Template`) says how the name of one kind of quantity looks. Its slots are `<layer>`,
`<to>` (the neuron, or the one that a weight goes to), `<from>`, `<module>` (a layer's place in a PyTorch
`Sequential`) and `<zero>` (a 0 that stands for the bias's unit). The first template prints, the others are
only read.

Kinds are those of `Quantity` (w, b, z, a, delta, y, C, total, R). `a0` is the input, `aL`, `zL` and
`deltaL` are those of the output layer, where a notation calls them something else than the rest. `dw`, `db`
and `da` (`da0`, `daL`) are the derivatives of the total, where a notation has a name of its own for them
(`dW2[0, 0]`); the total's derivative by z is `delta`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Record(NamedTuple):
    """What there is to say about one notation."""

    name: str
    source: str
    names: Mapping[str, tuple[str, ...]]
    layers_from: int = 0
    """The number of the input layer."""
    neurons_from: int = 0
    """The number of a layer's first neuron, and of the first output and cost."""
    from_end: bool = False
    """Layers are called L, L-1, L-2, … and not by number."""
    weight_label: Literal["enters", "leaves"] = "enters"
    """Whether weights and biases carry the number of the layer that they enter or leave."""
    weight_orientation: Literal["to-from", "from-to"] = "to-from"
    """What the rows and the columns of the matrix W stand for."""
    delta_sign: Literal[1, -1] = 1
    """delta is this times the derivative of the total by z."""
    code: bool = False
    """Names are program code."""
    arrays: Mapping[str, str] = {}
    """Whole arrays, where they are more than the names without their neurons: kind -> template."""
    words: Mapping[str, str] = {}
    """What one types, where it is more than the printed name without its backslashes: kind -> text."""
    remark: str = ""
    """What a reader of another notation would take for something else."""


_TABLE = (
    Record(
        "neuron-over-layer",
        "Data Science Stack Exchange 2021, 'How backpropagation works in case of 2 hidden layers?'",
        {
            "w": ("w^{<from>}_{<to>,<layer>}",),
            "b": ("b^{<to>}_{<layer>}",),
            "z": ("z^{<to>}_{<layer>}",),
            "a": ("a^{<to>}_{<layer>}",),
            "a0": ("a^{<to>}_{<layer>}", "x^{<to>}", "x_{<to>}"),
            "delta": (r"\delta^{<to>}_{<layer>}",),
            "y": ("y^{<to>}", "y_{<to>}"),
            "C": ("C^{<to>}", "C_{<to>}"),
            "total": (r"\sum C", "total", "C", "C_{total}", "E_{total}"),
            "R": ("R",),
        },
        arrays={"w": "W_{<layer>}"},
        words={"total": "total"},
        remark="The superscript is a neuron and not a power; C^0 is the cost of output 0.",
    ),
    Record(
        "nielsen",
        "Nielsen, Neural Networks and Deep Learning (2015), chapter 2, equations 23 to 25 and BP1 to BP4",
        {
            "w": ("w^{<layer>}_{<to><from>}",),
            "b": ("b^{<layer>}_{<to>}",),
            "z": ("z^{<layer>}_{<to>}",),
            "a": ("a^{<layer>}_{<to>}",),
            "a0": ("a^{<layer>}_{<to>}", "x_{<to>}"),
            "delta": (r"\delta^{<layer>}_{<to>}",),
            "y": ("y_{<to>}",),
            "C": ("C^{<to>}",),
            "total": ("C", "C_x"),
            "R": ("R",),
        },
        layers_from=1,
        neurons_from=1,
        remark="The superscript is the layer. One output's cost has no sign in the book; it is C^k here.",
    ),
    Record(
        "3blue1brown",
        "3Blue1Brown, Backpropagation calculus (Deep Learning, chapter 4, 2017)",
        {
            "w": ("w^{(<layer>)}_{<to><from>}",),
            "b": ("b^{(<layer>)}_{<to>}",),
            "z": ("z^{(<layer>)}_{<to>}",),
            "a": ("a^{(<layer>)}_{<to>}",),
            "a0": ("a^{(<layer>)}_{<to>}", "x_{<to>}"),
            "delta": (r"\delta^{(<layer>)}_{<to>}",),
            "y": ("y_{<to>}",),
            "C": ("C^{<to>}",),
            "total": ("C", "C_0"),
            "R": ("R",),
        },
        from_end=True,
        remark="C_0 is the cost of training example 0. One output's cost (C^k here) and delta have no sign.",
    ),
    Record(
        "ng",
        "Ng, Deep Learning Specialization, course 1 (2017), standard notations for deep learning",
        {
            "w": ("W^{[<layer>]}_{<to><from>}", "w^{[<layer>]}_{<to><from>}"),
            "b": ("b^{[<layer>]}_{<to>}",),
            "z": ("z^{[<layer>]}_{<to>}", "Z^{[<layer>]}_{<to>}"),
            "a": ("a^{[<layer>]}_{<to>}", "A^{[<layer>]}_{<to>}"),
            "a0": ("a^{[<layer>]}_{<to>}", "x_{<to>}"),
            "aL": ("a^{[<layer>]}_{<to>}", r"\hat{y}_{<to>}"),
            "delta": ("dz^{[<layer>]}_{<to>}", "dZ^{[<layer>]}_{<to>}"),
            "y": ("y_{<to>}",),
            "C": (r"\mathcal{L}^{<to>}",),
            "total": ("J", r"\mathcal{L}"),
            "R": ("R",),
            "dw": ("dW^{[<layer>]}_{<to><from>}", "dw^{[<layer>]}_{<to><from>}"),
            "db": ("db^{[<layer>]}_{<to>}",),
            "da": ("da^{[<layer>]}_{<to>}", "dA^{[<layer>]}_{<to>}"),
        },
        neurons_from=1,
        remark="dW is the derivative of J by W, not a step; * is elementwise; dZ has no 1/m.",
    ),
    Record(
        "ufldl",
        "UFLDL tutorial, Multi-layer neural network (2011); Ng, Machine Learning (Coursera 2011, with Theta)",
        {
            "w": (r"W^{(<layer>)}_{<to><from>}", r"\Theta^{(<layer>)}_{<to><from>}"),
            "b": (r"b^{(<layer>)}_{<to>}", r"\Theta^{(<layer>)}_{<to><zero>}"),
            "z": ("z^{(<layer>)}_{<to>}",),
            "a": ("a^{(<layer>)}_{<to>}",),
            "a0": ("a^{(<layer>)}_{<to>}", "x_{<to>}"),
            "delta": (r"\delta^{(<layer>)}_{<to>}",),
            "y": ("y_{<to>}",),
            "C": ("J^{<to>}",),
            "total": ("J",),
            "R": ("R",),
        },
        layers_from=1,
        neurons_from=1,
        weight_label="leaves",
        remark="W^{(1)} leaves layer 1, the input; other notations number it by the layer that it enters.",
    ),
    Record(
        "bishop",
        "Bishop, Pattern Recognition and Machine Learning (2006), 5.1 and 5.3, equations 5.48 to 5.56",
        {
            "w": ("w^{(<layer>)}_{<to><from>}",),
            "b": ("w^{(<layer>)}_{<to><zero>}",),
            "z": ("a^{(<layer>)}_{<to>}",),
            "a": ("z^{(<layer>)}_{<to>}",),
            "a0": ("x_{<to>}",),
            "aL": ("y_{<to>}",),
            "delta": (r"\delta^{(<layer>)}_{<to>}",),
            "y": ("t_{<to>}",),
            "C": ("E^{<to>}",),
            "total": ("E", "E_n"),
            "R": ("E_W",),
        },
        neurons_from=1,
        arrays={"w": "W^{(<layer>)}", "b": "w^{(<layer>)}_0"},
        remark="a is the pre-activation, z = h(a) the activation, y the network's output, t the target.",
    ),
    Record(
        "goodfellow",
        "Goodfellow, Bengio, Courville, Deep Learning (2016), algorithms 6.3 and 6.4",
        {
            "w": ("W^{(<layer>)}_{<to><from>}",),
            "b": ("b^{(<layer>)}_{<to>}",),
            "z": ("a^{(<layer>)}_{<to>}",),
            "a": ("h^{(<layer>)}_{<to>}",),
            "a0": ("x_{<to>}",),
            "aL": (r"\hat{y}_{<to>}",),
            "delta": ("g^{(<layer>)}_{<to>}",),
            "y": ("y_{<to>}",),
            "C": ("L^{<to>}",),
            "total": ("J",),
            "R": (r"\Omega",),
        },
        neurons_from=1,
        remark="a is the pre-activation, h the activation; g is the running gradient, here that by a.",
    ),
    Record(
        "mit",
        "MIT 6.390, Introduction to Machine Learning, lecture notes, Neural networks",
        {
            "w": ("W^{<layer>}_{<from><to>}",),
            "b": ("W^{<layer>}_{<zero><to>}",),
            "z": ("z^{<layer>}_{<to>}", "Z^{<layer>}_{<to>}"),
            "a": ("a^{<layer>}_{<to>}", "A^{<layer>}_{<to>}"),
            "a0": ("x_{<to>}",),
            "delta": (r"\delta^{<layer>}_{<to>}",),
            "y": ("y_{<to>}",),
            "C": (r"\mathcal{L}^{<to>}",),
            "total": (r"\mathcal{L}", "J"),
            "R": ("R",),
        },
        neurons_from=1,
        weight_orientation="from-to",
        arrays={"b": "W^{<layer>}_0", "z": "Z^{<layer>}", "a": "A^{<layer>}"},
        remark="So Z = W^T A + W_0.",
    ),
    Record(
        "d2l",
        "Zhang, Lipton, Li, Smola, Dive into Deep Learning (2023), section 5.3",
        {
            "w": ("W^{(<layer>)}_{<to><from>}",),
            "b": ("b^{(<layer>)}_{<to>}",),
            "z": ("z^{(<layer>)}_{<to>}",),
            "a": ("h^{(<layer>)}_{<to>}",),
            "a0": ("x_{<to>}",),
            "aL": ("o_{<to>}",),
            "delta": (r"\delta^{(<layer>)}_{<to>}",),
            "y": ("y_{<to>}",),
            "C": ("L^{<to>}",),
            "total": ("J",),
            "R": ("s",),
        },
        neurons_from=1,
        arrays={"w": r"\mathbf{W}^{(<layer>)}"},
        remark="J = L + s is the objective, with s the regularisation term.",
    ),
    Record(
        "classic",
        "Rumelhart, Hinton, Williams, Learning internal representations by error propagation (1986)",
        {
            "w": ("w^{(<layer>)}_{<to><from>}",),
            "b": (r"\theta^{(<layer>)}_{<to>}",),
            "z": (r"\mathrm{net}^{(<layer>)}_{<to>}",),
            "a": ("o^{(<layer>)}_{<to>}",),
            "a0": ("o^{(<layer>)}_{<to>}", "i_{<to>}", "x_{<to>}"),
            "delta": (r"\delta^{(<layer>)}_{<to>}",),
            "y": ("t_{<to>}",),
            "C": ("E^{<to>}",),
            "total": ("E", "E_p"),
            "R": ("R",),
        },
        neurons_from=1,
        delta_sign=-1,
        remark="So delta = (t - o) f'(net), and a step adds it. The paper has no numbers for layers.",
    ),
    Record(
        "compphysics",
        "Hjorth-Jensen, Computational Physics lectures (Oslo), Neural networks and back propagation",
        {
            "w": ("w^{(<layer>)}_{<from><to>}",),
            "b": ("b^{(<layer>)}_{<to>}",),
            "z": ("z^{(<layer>)}_{<to>}",),
            "a": ("a^{(<layer>)}_{<to>}",),
            "a0": ("a^{(<layer>)}_{<to>}", "x_{<to>}"),
            "delta": (r"\delta^{(<layer>)}_{<to>}",),
            "y": ("t_{<to>}", "y_{<to>}"),
            "C": ("C^{<to>}",),
            "total": ("C",),
            "R": ("R",),
        },
        weight_orientation="from-to",
        arrays={"w": "W^{(<layer>)}"},
        remark="w_{ij} goes from neuron i to neuron j, as the lectures declare (and don't always keep).",
    ),
    Record(
        "cs231n",
        "Stanford CS231n, course notes, Putting it together: minimal neural network case study; assignment 1",
        {
            "w": ("W<layer>[<from>, <to>]",),
            "b": ("b<layer>[<to>]", "b<layer>[0, <to>]"),
            "z": ("z<layer>[<to>]",),
            "zL": ("scores[<to>]", "f[<to>]"),
            "a": ("h<layer>[<to>]",),
            "a0": ("X[<to>]", "x[<to>]"),
            "aL": ("out[<to>]", "probs[<to>]"),
            "delta": ("dz<layer>[<to>]",),
            "deltaL": ("dscores[<to>]", "df[<to>]"),
            "y": ("y[<to>]",),
            "C": ("losses[<to>]",),
            "total": ("loss", "data_loss"),
            "R": ("reg_loss",),
            "dw": ("dW<layer>[<from>, <to>]",),
            "db": ("db<layer>[<to>]", "db<layer>[0, <to>]"),
            "da": ("dh<layer>[<to>]",),
            "da0": ("dX[<to>]", "dx[<to>]"),
            "daL": ("dout[<to>]", "dprobs[<to>]"),
        },
        weight_orientation="from-to",
        code=True,
        remark="So the forward pass is X.dot(W). dW is the derivative of loss by W.",
    ),
    Record(
        "pytorch",
        "PyTorch, torch.nn.Sequential of Linear and activations; each is a module, the identity none",
        {
            "w": (
                "net[<module>].weight[<to>, <from>]",
                "model[<module>].weight[<to>, <from>]",
                "<module>.weight[<to>, <from>]",
                "fc<layer>.weight[<to>, <from>]",
            ),
            "b": (
                "net[<module>].bias[<to>]",
                "model[<module>].bias[<to>]",
                "<module>.bias[<to>]",
                "fc<layer>.bias[<to>]",
            ),
            "z": ("z<layer>[<to>]",),
            "a": ("a<layer>[<to>]",),
            "a0": ("x[<to>]", "X[<to>]"),
            "aL": ("pred[<to>]", "y_pred[<to>]", "output[<to>]"),
            "delta": ("z<layer>.grad[<to>]",),
            "y": ("y[<to>]", "target[<to>]"),
            "C": ("losses[<to>]",),
            "total": ("loss",),
            "R": ("l2",),
            "dw": (
                "net[<module>].weight.grad[<to>, <from>]",
                "model[<module>].weight.grad[<to>, <from>]",
                "<module>.weight.grad[<to>, <from>]",
                "fc<layer>.weight.grad[<to>, <from>]",
            ),
            "db": (
                "net[<module>].bias.grad[<to>]",
                "model[<module>].bias.grad[<to>]",
                "<module>.bias.grad[<to>]",
                "fc<layer>.bias.grad[<to>]",
            ),
            "da": ("a<layer>.grad[<to>]",),
            "da0": ("x.grad[<to>]",),
            "daL": ("pred.grad[<to>]", "y_pred.grad[<to>]", "output.grad[<to>]"),
        },
        code=True,
        remark="net[2] is the third module, not the second layer; losses average over everything by default.",
    ),
    Record(
        "keras",
        "Keras 3, Sequential of Dense layers with their activation inside; tf.GradientTape",
        {
            "w": ("layers[<layer>].kernel[<from>, <to>]", "model.layers[<layer>].kernel[<from>, <to>]"),
            "b": ("layers[<layer>].bias[<to>]", "model.layers[<layer>].bias[<to>]"),
            "z": ("z<layer>[<to>]",),
            "a": ("layers[<layer>].output[<to>]", "model.layers[<layer>].output[<to>]"),
            "a0": ("x[<to>]",),
            "aL": ("y_pred[<to>]",),
            "delta": ("tape.gradient(loss, z<layer>)[<to>]",),
            "y": ("y_true[<to>]", "y[<to>]"),
            "C": ("losses[<to>]",),
            "total": ("loss",),
            "R": ("l2",),
            "dw": ("tape.gradient(loss, layers[<layer>].kernel)[<from>, <to>]",),
            "db": ("tape.gradient(loss, layers[<layer>].bias)[<to>]",),
            "da": ("tape.gradient(loss, layers[<layer>].output)[<to>]",),
            "da0": ("tape.gradient(loss, x)[<to>]",),
            "daL": ("tape.gradient(loss, y_pred)[<to>]",),
        },
        layers_from=-1,
        weight_orientation="from-to",
        code=True,
        remark="layers[0] is the first Dense layer, not the input; its activation is inside it.",
    ),
)  # fmt: skip

RECORDS: dict[str, Record] = {record.name: record for record in _TABLE}
