"""Equations of every kind that people write, with what is true of them: (network, equation, whether it holds)."""

# ruff: noqa: E501 - an equation is one line
from typing import Any

import whygrad as wg

UNREADABLE = "unreadable"


def network(
    sizes: Any,
    act: Any = "sigmoid",
    bias: bool = True,
    cost: str = "half_squared_error",
    notation: str = "neuron-over-layer",
    **k: Any,
) -> wg.Network:
    return wg.Network(sizes, act, bias, cost, notation=notation, **k)


B = {
    "x": [[0.5, -1.1], [1.3, 0.2], [-0.7, 0.9], [0.1, 1.6], [-1.4, -0.3]],
    "y": [[1.0], [0.0], [1.0], [0.0], [1.0]],
}
B2 = {
    "x": [[0.5, -1.1], [1.3, 0.2], [-0.7, 0.9], [0.1, 1.6], [-1.4, -0.3]],
    "y": [[1.0, 0], [0, 1.0], [1.0, 0], [0, 1.0], [1.0, 0]],
}
ng = network(
    [2, 3, 1], ["tanh", "sigmoid"], cost="binary_cross_entropy", notation="ng", reduction="mean", **B
)
ng1 = network([2, 3, 1], ["tanh", "sigmoid"], cost="binary_cross_entropy", notation="ng", reduction="mean")
cs = network([2, 3, 2], ["relu", "softmax"], cost="cross_entropy", notation="cs231n", reduction="mean", **B2)
pt = network([2, 3, 2], ["relu", "identity"], bias=False, cost="squared_error", notation="pytorch", **B2)
ni = network([3, 4, 3, 2], notation="nielsen")
nq = network([3, 4, 3, 2], notation="nielsen", cost="squared_error")
uf = network([3, 4, 2, 3], notation="ufldl")
bb = network([3, 4, 4, 2], notation="3blue1brown", cost="squared_error")
bi = network([2, 3, 2], ["tanh", "identity"], notation="bishop")
gf = network([3, 4, 2], "relu", notation="goodfellow")
mit = network([3, 4, 2], "sigmoid", notation="mit")
d2 = network([3, 4, 2], "sigmoid", bias=False, notation="d2l")
cp = network([2, 3, 2], notation="compphysics")
cl = network([2, 3, 2], notation="classic")
dn = wg.Network([2, 3, 3, 2], "sigmoid", False, "squared_error")
idn = wg.Network([2, 3, 3, 2], "identity", False, "squared_error")
sm = network(
    [2, 3],
    "softmax",
    cost="cross_entropy",
    names={
        "L": "total",
        "z_i": "z^i_1",
        "z_j": "z^j_1",
        "p_i": "a^i_1",
        "p_j": "a^j_1",
        "p_k": "a^k_1",
        "y_i": "y^i",
        "y_j": "y^j",
        "y_k": "y^k",
    },
    x=[[0.7, -1.2]],
    y=[[0, 1.0, 0]],
)
re = network([2, 3, 2], "relu")
MZ = {
    "w_1": "w^0_{0,1}",
    "w_2": "w^1_{0,1}",
    "w_3": "w^0_{1,1}",
    "w_4": "w^1_{1,1}",
    "w_5": "w^0_{0,2}",
    "w_6": "w^1_{0,2}",
    "w_7": "w^0_{1,2}",
    "w_8": "w^1_{1,2}",
    "i_1": "x^0",
    "i_2": "x^1",
    "net_{h1}": "z^0_1",
    "net_{h2}": "z^1_1",
    "out_{h1}": "a^0_1",
    "out_{h2}": "a^1_1",
    "net_{o1}": "z^0_2",
    "net_{o2}": "z^1_2",
    "out_{o1}": "a^0_2",
    "out_{o2}": "a^1_2",
    "target_{o1}": "y^0",
    "target_{o2}": "y^1",
    "E_{o1}": "C^0",
    "E_{o2}": "C^1",
    "E_{total}": "total",
    "\\delta_{o1}": "\\delta^0_2",
    "\\delta_{o2}": "\\delta^1_2",
    "\\delta_{h1}": "\\delta^0_1",
}
WORKED = {
    "parameters": {
        "W1": [[0.15, 0.2], [0.25, 0.3]],
        "b1": [0.35, 0.35],
        "W2": [[0.4, 0.45], [0.5, 0.55]],
        "b2": [0.6, 0.6],
    },
    "x": [[0.05, 0.1]],
    "y": [[0.01, 0.99]],
}
mz = network([2, 2, 2], names=MZ, **WORKED)
mg = network(
    [1, 1, 1],
    "identity",
    names={"a": "w^0_{0,1}", "b": "x^0", "c": "b^0_1", "f": "w^0_{0,2}", "d": "z^0_1", "L": "a^0_2"},
    parameters={"W1": [[2.0]], "b1": [10.0], "W2": [[-2.0]], "b2": [0.0]},
    x=[[-3.0]],
    y=[[0.0]],
)
b1 = network([1, 1, 1, 1], notation="3blue1brown", cost="squared_error")
regularised = network([2, 3, 2], cost="half_squared_error", notation="nielsen", l2=0.1)
sy = wg.Network(
    [2, 2, 2],
    "sigmoid",
    True,
    "squared_error",
    parameters={
        "W1": [[0.5, 0.5], [0.5, 0.5]],
        "b1": [0.1, 0.1],
        "W2": [[0.5, 0.5], [0.5, 0.5]],
        "b2": [0.1, 0.1],
    },
    x=[[1.0, 1.0]],
    y=[[0.0, 0.0]],
)
dead = wg.Network(
    [2, 2, 1],
    "relu",
    True,
    "squared_error",
    parameters={"W1": [[-1.0, -1.0], [1.0, 1.0]], "b1": [0.0, 0.0], "W2": [[0.5, 0.25]], "b2": [0.1]},
    x=[[1.0, 1.0]],
    y=[[0.0]],
)
SN = {"y_i": "a^i_1", "y_j": "a^j_1", "x_i": "z^i_1", "x_j": "z^j_1", "S_i": "a^i_1"}
sn = network([2, 3], "softmax", cost="cross_entropy", names=SN)

EQUATIONS: list[tuple[Any, str, Any]] = [
    (ng, r"dZ^{[2]} = A^{[2]} - Y", True),
    (ng, r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}", True),
    (ng, r"dW^{[2]} = dZ^{[2]} A^{[1]T}", False),
    (ng, r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]}", False),
    (ng, r"db^{[2]} = \frac{1}{m} np.sum(dZ^{[2]}, axis=1, keepdims=True)", True),
    (ng, r"db^{[1]} = \frac{1}{m} \sum_{i=1}^m dZ^{[1](i)}", True),
    (ng, r"Z^{[1]} = W^{[1]} X + b^{[1]}", True),
    (ng, r"A^{[2]} = \sigma(Z^{[2]})", True),
    (ng, r"A^{[1]} = g^{[1]}(Z^{[1]})", True),
    (ng, r"A^{[1]} = \tanh(Z^{[1]})", True),
    (ng, r"dZ^{[1]} = W^{[2]T} dZ^{[2]} * (1 - A^{[1]} * A^{[1]})", True),
    (ng, r"dZ^{[1]} = W^{[2]T} dZ^{[2]} * (1 - (A^{[1]})^2)", True),
    (ng, r"dZ^{[1]} = W^{[2]T} dZ^{[2]} * (1 - A^{[1]2})", True),
    (ng, r"dZ^{[1]} = W^{[2]} dZ^{[2]} * g^{[1]\prime}(Z^{[1]})", False),
    (ng, r"dA^{[1]} = W^{[2]T} dZ^{[2]}", True),
    (ng, r"dZ^{[1]} = dA^{[1]} * g^{[1]'}(Z^{[1]})", True),
    (ng, r"W^{[1]} := W^{[1]} - \alpha dW^{[1]}", True),
    (ng, r"W^{[1]} := W^{[1]} + \alpha dW^{[1]}", False),
    (
        ng,
        r"J = -\frac{1}{m} \sum_{i=1}^{m} (y^{(i)} \log a^{[2](i)} + (1-y^{(i)}) \log(1 - a^{[2](i)}))",
        True,
    ),
    (ng1, r"dz^{[2]} = a^{[2]} - y", True),
    (ng1, r"dW^{[2]} = dz^{[2]} a^{[1]T}", True),
    (ng1, r"dz^{[1]} = W^{[2]T} dz^{[2]} * g^{[1]'}(z^{[1]})", True),
    (
        ng1,
        r"\frac{\partial \mathcal{L}}{\partial a^{[2]}} = -\frac{y}{a^{[2]}} + \frac{1-y}{1-a^{[2]}}",
        True,
    ),
    (cs, "dscores = (probs - y) / N", True),
    (cs, "dscores = probs - y", False),
    (cs, "dW2 = h1.T.dot(dscores)", True),
    (cs, "dW2 = np.dot(h1.T, dscores)", True),
    (cs, "dW2 = dscores.T.dot(h1)", False),
    (cs, "db2 = np.sum(dscores, axis=0, keepdims=True)", True),
    (cs, "dh1 = dscores.dot(W2.T)", True),
    (cs, "dh1 = np.dot(dscores, W2)", False),
    (cs, "dW1 = X.T.dot(dh1 * (h1 > 0))", True),
    (cs, "scores = h1.dot(W2) + b2", True),
    (cs, "h1 = np.maximum(0, X.dot(W1) + b1)", True),
    (cs, "W2 -= lr * dW2", True),
    (pt, "y_pred.grad = 2.0 * (y_pred - y)", True),
    (pt, "grad_w2 = 1", UNREADABLE),
    (pt, "net[2].weight.grad = (2.0 * (y_pred - y)).t().mm(a1)", True),
    (ni, r"\delta^L = \nabla_a C \odot \sigma'(z^L)", True),
    (ni, r"\delta^L = (a^L-y) \odot \sigma'(z^L)", True),
    (ni, r"\delta^L = (a^L-y)", False),
    (nq, r"\delta^L = (a^L-y) \odot \sigma'(z^L)", False),
    (ni, r"\delta^l = \Sigma'(z^l) (w^{l+1})^T \delta^{l+1}", UNREADABLE),
    (ni, r"\delta^l_j = \sum_k w^{l+1}_{kj} \delta^{l+1}_k \sigma'(z^l_j)", True),
    (ni, r"\delta^l_j = \sum_k w^{l+1}_{jk} \delta^{l+1}_k \sigma'(z^l_j)", False),
    (ni, r"\delta^l_j = \sum_k w^{l+1}_{kj} \delta^{l+1}_k", False),
    (ni, r"\delta^l_j = \sum_k w^{l}_{kj} \delta^{l}_k \sigma'(z^l_j)", False),
    (
        ni,
        r"\delta^l_j = \sum_k \frac{\partial C}{\partial z^{l+1}_k}\frac{\partial z^{l+1}_k}{\partial z^l_j}",
        True,
    ),
    (
        ni,
        r"z^{l+1}_k = \sum_j w^{l+1}_{kj} a^l_j +b^{l+1}_k = \sum_j w^{l+1}_{kj} \sigma(z^l_j) +b^{l+1}_k",
        True,
    ),
    (ni, r"\frac{\partial z^{l+1}_k}{\partial z^l_j} = w^{l+1}_{kj} \sigma'(z^l_j)", True),
    (ni, r"\frac{\partial C}{\partial w^l_{jk}} = a^{l}_k\delta^l_j", False),
    (ni, r"a^l = \sigma(w^l a^{l-1} + b^l)", True),
    (ni, r"\frac{\partial C}{\partial w^l} = \delta^l (a^{l-1})^T", True),
    (ni, r"\frac{\partial C}{\partial w^l} = a^{l-1} (\delta^l)^T", False),
    (ni, r"C = \frac{1}{2} \sum_j (y_j - a^L_j)^2", True),
    (ni, r"\partial C / \partial a^L_j = (a_j^L-y_j)", True),
    (uf, r"\delta^{(n_l)}_i = - (y_i - a^{(n_l)}_i) \cdot f'(z^{(n_l)}_i)", True),
    (uf, r"\frac{\partial}{\partial W_{ij}^{(l)}} J(W,b; x, y) = a^{(l)}_j \delta_i^{(l+1)}", True),
    (uf, r"\frac{\partial}{\partial b_{i}^{(l)}} J(W,b; x, y) = \delta_i^{(l+1)}", True),
    (uf, r"\nabla_{W^{(l)}} J(W,b;x,y) = \delta^{(l+1)} (a^{(l)})^T", True),
    (uf, r"z^{(l+1)} = W^{(l)} a^{(l)} + b^{(l)}", True),
    (uf, r"f'(z^{(l)}_i) = a^{(l)}_i (1- a^{(l)}_i)", True),
    (uf, r"z^{(2)}_i = \sum_{j=1}^n W^{(1)}_{ij} x_j + b^{(1)}_i", True),
    (
        bb,
        r"\frac{\partial C_0}{\partial w_{jk}^{(L)}} = \frac{\partial z_j^{(L)}}{\partial w_{jk}^{(L)}}\frac{\partial a_j^{(L)}}{\partial z_j^{(L)}}\frac{\partial C_0}{\partial a_j^{(L)}}",
        True,
    ),
    (
        bb,
        r"\frac{\partial C_0}{\partial w_{jk}^{(L)}} = a_k^{(L-1)} \sigma'(z_j^{(L)}) 2(a_j^{(L)} - y_j)",
        True,
    ),
    (bb, r"C_0 = \sum_{j=0}^{n_L-1} (a_j^{(L)} - y_j)^2", True),
    (bb, r"\frac{\partial z_j^{(L)}}{\partial a_k^{(L-1)}} = w_{jk}^{(L)}", True),
    (
        bb,
        r"\frac{\partial C_0}{\partial a_k^{(L-1)}} = \frac{\partial z_j^{(L)}}{\partial a_k^{(L-1)}} \frac{\partial a_j^{(L)}}{\partial z_j^{(L)}} \frac{\partial C_0}{\partial a_j^{(L)}}",
        False,
    ),
    (bi, r"\delta_k = y_k - t_k", True),
    (bi, r"\frac{\partial E_n}{\partial w_{ji}} = \delta_j z_i", True),
    (bi, r"\frac{\partial E_n}{\partial w_{kj}^{(2)}} = \delta_k z_j", True),
    (bi, r"\delta_j = (1 - z_j^2) \sum_k w_{kj} \delta_k", True),
    (bi, r"E_n = \frac{1}{2}\sum_k (y_k - t_k)^2", True),
    (bi, r"\delta_j = \sum_k w_{kj}\delta_k", False),
    (mit, r"Z^l = {W^l}^T A^{l-1} + W_0^l", True),
    (
        mit,
        r"\frac{\partial \mathcal{L}}{\partial W^l} = A^{l-1} \left(\frac{\partial \mathcal{L}}{\partial Z^l}\right)^T",
        True,
    ),
    (cp, r"\frac{\partial C}{\partial w_{ij}^{(l)}} = \delta_j^{(l)} a_i^{(l-1)}", True),
    (cp, r"\frac{\partial C}{\partial w_{ij}^{(l)}} = \delta_i^{(l)} a_j^{(l-1)}", False),
    (cl, r"\delta_k = (t_k - o_k) f'(net_k)", True),
    (cl, r"\Delta w_{ji} = \eta \delta_j o_i", True),
    (dn, r"\frac{\partial C^k}{\partial w^i_{j,3}} = 0", False),
    (
        dn,
        r"\frac{\partial \sum C}{\partial a^i_2} = \sum_k \frac{\partial a^k_3}{\partial a^i_2}\frac{\partial C^k}{\partial a^k_3}",
        True,
    ),
    (dn, "dC^0/da^0_2 = w^0_{0,3} a^0_3 (1 - a^0_3) 2 (a^0_3 - y^0)", True),
    (dn, "∂C⁰/∂a⁰₂ = w⁰₀,₃ · a⁰₃(1 − a⁰₃) · 2(a⁰₃ − y⁰)", True),
    (dn, "∂C⁰/∂a⁰₂ = w⁰₀,₃ · 2(a⁰₃ − y⁰)", False),
    (
        dn,
        r"\frac{\partial C^0}{\partial a^0_1} = \sum_{i=0}^{2}\frac{\partial a^i_2}{\partial a^0_1}\frac{\partial C^0}{\partial a^i_2}",
        True,
    ),
    (
        dn,
        r"\frac{\partial C^0}{\partial a^0_1} = \sum_{i=1}^{2}\frac{\partial a^i_2}{\partial a^0_1}\frac{\partial C^0}{\partial a^i_2}",
        False,
    ),
    (dn, r"\frac{\partial C^0}{\partial w^0_{0,3}} = a^0_2 \cdot \sigma'(z^0_3) \cdot 2(a^0_3 - y^0)", True),
    (
        dn,
        r"\begin{aligned}\frac{\partial C^0}{\partial a^0_2} &= \frac{\partial a^0_3}{\partial a^0_2}\frac{\partial C^0}{\partial a^0_3} \\ &= w^0_{0,3}\,\underbrace{a^0_3(1-a^0_3)}_{\sigma'}\,2(a^0_3-y^0)\end{aligned}",
        True,
    ),
    (
        idn,
        r"\frac{\partial C^0}{\partial a^0_1} = 2(a^0_3-y^0)(w^0_{0,3}w^0_{0,2}+w^1_{0,3}w^0_{1,2}+w^2_{0,3}w^0_{2,2})",
        True,
    ),
    (
        idn,
        r"\frac{\partial C^0}{\partial a^0_1} = 2(a^0_3-y^0)(w^0_{0,3}w^0_{0,2}+w^1_{0,3}w^0_{1,2})",
        False,
    ),
    (sm, r"\frac{\partial p_i}{\partial z_j} = p_i(\delta_{ij} - p_j)", True),
    (sm, r"\frac{\partial p_i}{\partial z_i} = p_i(1 - p_i)", True),
    (sm, r"\frac{\partial p_i}{\partial z_j} = -p_i p_j", False),
    (sm, r"L = -\sum_k y_k \log p_k", True),
    (sm, r"\frac{\partial L}{\partial z_i} = -\sum_k y_k \frac{\partial \log p_k}{\partial z_i}", True),
    (
        sm,
        r"\frac{\partial L}{\partial z_i} = -\sum_k y_k \frac{1}{p_k}\frac{\partial p_k}{\partial z_i} = -y_i(1-p_i) - \sum_{k\neq i} y_k \frac{1}{p_k}(-p_k p_i) = p_i - y_i",
        True,
    ),
    (sm, r"p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}", True),
    (re, r"\frac{\partial a^0_1}{\partial z^0_1} = relu'(z^0_1)", True),
    (re, r"\frac{\partial C^0}{\partial z^0_2} = (a^0_2 - y^0)", False),
    (re, r"a^0_1 = \max(0, z^0_1)", True),
    (re, r"a^0_1 = z^0_1", False),
    (dn, r"\tanh'(z^0_1) = 1 - \tanh(z^0_1)^2", True),
    (dn, r"\sigma'(z^0_1) = \sigma(z^0_1)(1-\sigma(z^0_1))", True),
    (dn, r"w^0_{0,3} \leftarrow w^0_{0,3} - \eta \frac{\partial \sum C}{\partial w^0_{0,3}}", True),
    (dn, r"w^0_{0,3} = w^0_{0,3} - \eta \frac{\partial C^0}{\partial w^0_{0,3}}", True),
    (dn, r"w^0_{0,2} = w^0_{0,2} - \eta \frac{\partial C^0}{\partial w^0_{0,2}}", False),
    (dn, r"\Delta w^0_{0,3} = -\eta\frac{\partial \sum C}{\partial w^0_{0,3}}", True),
    (dn, r"foo = 3", UNREADABLE),
    (dn, "", UNREADABLE),
    (dn, "a = = b", UNREADABLE),
    (dn, r"\frac{\partial C^0}{\partial q} = 0", UNREADABLE),
    (dn, r"\frac{\partial C^0}{\partial a^7_2} = 0", UNREADABLE),
    (
        network([1, 1, 1, 1], "sigmoid"),
        r"\frac{\partial C^0}{\partial a^0_1} = \frac{\partial C^0}{\partial a^0_3}\frac{\partial a^0_3}{\partial a^0_2}\frac{\partial a^0_2}{\partial a^0_1}",
        True,
    ),
    (
        network([1, 1, 1, 1], "sigmoid", notation="nielsen"),
        r"\frac{\partial C}{\partial b^2_1} = \sigma'(z^2_1) w^3_{11} \sigma'(z^3_1) w^4_{11} \sigma'(z^4_1) \frac{\partial C}{\partial a^4_1}",
        True,
    ),
    (
        mz,
        r"\frac{\partial net_{o1}}{\partial w_5} = 1 * out_{h1} * w_5^{(1 - 1)} + 0 + 0 = out_{h1} = 0.593269992",
        True,
    ),
    (
        mz,
        r"\frac{\partial out_{o1}}{\partial net_{o1}} = out_{o1}(1 - out_{o1}) = 0.75136507(1 - 0.75136507) = 0.186815602",
        True,
    ),
    (
        mz,
        r"E_{o1} = \frac{1}{2}(target_{o1} - out_{o1})^{2} = \frac{1}{2}(0.01 - 0.75136507)^{2} = 0.274811083",
        True,
    ),
    (
        mz,
        r"E_{o1} = \frac{1}{2}(target_{o1} - out_{o1})^{2} = \frac{1}{2}(0.01 - 0.75136507)^{2} = 0.274811086",
        False,
    ),
    (mz, r"E_{total} = \sum \frac{1}{2}(target - output)^{2}", UNREADABLE),
    (mz, r"E_{total} = \frac12 (target_{o1} - out_{o1})^2 + \frac12 (target_{o2} - out_{o2})^2", True),
    (mz, "E_total = 1/2 (target_o1 - out_o1)^2 + 1/2 (target_o2 - out_o2)^2", True),
    (mz, "E_total = 1/2(target_o1 - out_o1)^2 + 1/2(target_o2 - out_o2)^2", True),
    (mz, "dE_total/dw_5 = dE_total/dout_o1 * dout_o1/dnet_o1 * dnet_o1/dw_5", True),
    (mz, "∂E_total/∂w₅ = ∂E_total/∂out_o1 · ∂out_o1/∂net_o1 · ∂net_o1/∂w₅", True),
    (
        mz,
        r"\frac{\partial E_{total}}{\partial out_{o1}} = -(target_{o1} - out_{o1}) = -(0.01 - 0.75136507) = 0.74136507",
        True,
    ),
    (
        mz,
        r"\frac{\partial E_{total}}{\partial w_{5}} = -(target_{o1} - out_{o1}) * out_{o1}(1 - out_{o1}) * out_{h1}",
        True,
    ),
    (
        mz,
        r"\frac{\partial E_{total}}{\partial w_{5}} = -(target_{o1} - out_{o1}) * out_{o1} * out_{h1}",
        False,
    ),
    (mz, r"\frac{\partial E_{total}}{\partial out_{h1}} = \frac{\partial E_{o1}}{\partial out_{h1}}", False),
    (
        mz,
        r"\frac{\partial E_{o1}}{\partial net_{o1}} = \frac{\partial E_{o1}}{\partial out_{o1}} * \frac{\partial out_{o1}}{\partial net_{o1}} = 0.74136507 * 0.186815602 = 0.138498562",
        True,
    ),
    (mz, r"\frac{\partial E_{o1}}{\partial out_{h1}} = 0.138498562 * 0.40 = 0.055399425", True),
    (mz, r"w_{6}^{+} = 0.408666186", False),
    (mz, r"\delta_{h1} = (\delta_{o1} w_5 + \delta_{o2} w_7) out_{h1}(1-out_{h1})", True),
    (mz, r"\delta_{h1} = (\delta_{o1} w_5 + \delta_{o2} w_6) out_{h1}(1-out_{h1})", False),
    (mz, r"\delta_{h1} = (\delta_{o1} w_5 + \delta_{o2} w_7)", False),
    (mz, r"\frac{\partial E_{total}}{\partial w_1} = \delta_{h1} i_1", True),
    (mg, r"\frac{dL}{dc} = \frac{dL}{dd} \cdot \frac{dd}{dc} = -2", True),
    (mg, "dL/dd = f = -2", True),
    (mg, r"\frac{dL}{db} = \frac{dL}{dd} \frac{dd}{db} = f \cdot a = -4", True),
    (mg, r"\frac{dL}{da} = \frac{dL}{dd} + \frac{dd}{da}", False),
    (mg, r"d = a*b + c = 4", True),
    (b1, r"\frac{\partial C_0}{\partial w^{(L)}} = a^{(L-1)} \sigma'(z^{(L)}) 2(a^{(L)} - y)", True),
    (
        b1,
        r"\frac{\partial C_0}{\partial w^{(L)}} = \frac{\partial z^{(L)}}{\partial w^{(L)}} \frac{\partial a^{(L)}}{\partial z^{(L)}} \frac{\partial C_0}{\partial a^{(L)}}",
        True,
    ),
    (b1, r"\frac{\partial C_0}{\partial b^{(L)}} = \sigma'(z^{(L)}) 2(a^{(L)} - y)", True),
    (b1, r"\frac{\partial C_0}{\partial a^{(L-1)}} = w^{(L)} \sigma'(z^{(L)}) 2(a^{(L)} - y)", True),
    (b1, r"z^{(L)} = w^{(L)} a^{(L-1)} + b^{(L)}", True),
    (b1, r"C_0 = (a^{(L)} - y)^2", True),
    (regularised, r"\frac{\partial C}{\partial w^l_{jk}} = a^{l-1}_k \delta^l_j + \lambda w^l_{jk}", True),
    (regularised, r"\frac{\partial C}{\partial w^l_{jk}} = a^{l-1}_k \delta^l_j", False),
    (sy, r"\frac{\partial \sum C}{\partial w^0_{0,1}} = \frac{\partial \sum C}{\partial w^1_{1,1}}", False),
    (sy, r"\frac{\partial C^0}{\partial a^0_1} = \frac{\partial C^1}{\partial a^0_1}", False),
    (sy, r"\frac{\partial \sum C}{\partial a^0_1} = 2 \frac{\partial C^0}{\partial a^0_1}", False),
    (dead, r"\frac{\partial C^0}{\partial w^0_{0,1}} = 0", True),
    (dead, r"\frac{\partial C^0}{\partial w^0_{0,1}} = \frac{\partial C^0}{\partial w^1_{0,1}}", False),
    (dead, r"\frac{\partial C^0}{\partial z^0_1} = \frac{\partial C^0}{\partial a^0_1}", False),
    (sn, r"\frac{\partial y_i}{\partial x_j} = y_i (1\{i=j\} - y_j)", True),
    (
        sn,
        r"\frac{\partial S_i}{\partial x_j} = \begin{cases} y_i(1 - y_j) & i = j \\ -y_i y_j & i \neq j \end{cases}",
        True,
    ),
    (
        sn,
        r"\frac{\partial S_i}{\partial x_j} = \begin{cases} y_i(1 - y_j) & \text{if } i = j \\ y_i y_j & \text{otherwise} \end{cases}",
        False,
    ),
    (
        sm,
        r"\frac{\partial L}{\partial z_i}=-\sum_ky_k\frac{\partial \log p_k}{\partial z_i}=-\sum_ky_k\frac{1}{p_k}\frac{\partial p_k}{\partial z_i}\\=-y_i(1-p_i)-\sum_{k\neq i}y_k\frac{1}{p_k}({\color{red}{-p_kp_i}})\\=-y_i(1-p_i)+\sum_{k\neq i}y_k({\color{red}{p_i}})\\=-y_i+\color{blue}{y_ip_i+\sum_{k\ne i}y_k({p_i})}\\=\color{blue}{p_i\left(\sum_ky_k\right)}-y_i=p_i-y_i",
        True,
    ),
    (cp, r"\delta_j^L = f'(z_j^L)\frac{\partial {\cal C}}{\partial (a_j^L)}", True),
    (cp, r"\hat{\delta}^L = f'(\hat{z}^L)\circ\frac{\partial {\cal C}}{\partial (\hat{a}^L)}", True),
    (cp, r"\frac{\partial{\cal C}}{\partial w_{ij}^l} = \delta_j^la_i^{l-1}", True),
    (cp, r"\delta_j^l = \sum_k \delta_k^{l+1}w_{kj}^{l+1}f'(z_j^l)", False),
    (cp, r"\delta_j^l = \sum_k \delta_k^{l+1}w_{jk}^{l+1}f'(z_j^l)", True),
    (cp, r"w_{ij}^l\leftarrow = w_{ij}^l- \eta \delta_j^la_i^{l-1}", True),
    (
        dn,
        r"\frac{\partial C^0}{\partial w^0_{0,1}} = \frac{\partial C^0}{\partial a^0_3}\frac{\partial a^0_3}{\partial a^0_2}\cdots\frac{\partial a^0_1}{\partial w^0_{0,1}}",
        False,
    ),
    (
        network([1, 1, 1, 1, 1], notation="nielsen"),
        r"\frac{\partial C}{\partial a^2_1} = \frac{\partial C}{\partial a^5_1}\frac{\partial a^5_1}{\partial a^4_1}\cdots\frac{\partial a^3_1}{\partial a^2_1}",
        True,
    ),
    (ni, r"\frac{\partial C}{\partial a^1} = (w^2)^T \delta^2", True),
    (ni, r"\delta^{2} = (w^3)^T \delta^3 \odot \sigma'(z^2)", True),
    (ni, r"\delta^{2} = \sigma'(z^2) \odot (w^3)^T \delta^3", True),
    (ni, r"\delta^{2} = \operatorname{diag}(\sigma'(z^2)) (w^3)^T \delta^3", True),
    (ni, r"\frac{\partial a^l}{\partial z^l} = \operatorname{diag}(\sigma'(z^l))", True),
    (ni, r"\frac{\partial z^{l+1}}{\partial a^l} = w^{l+1}", None),
    (ni, "delta^l_j = sum_k w^{l+1}_{kj} delta^{l+1}_k sigma'(z^l_j)", True),
    (ni, "δ^l_j = Σ_k w^{l+1}_{kj} δ^{l+1}_k σ′(z^l_j)", True),
    (ni, "delta^L_j = frac{partial C}{partial a^L_j}sigma'(z^L_j)", True),
    (ni, r"\frac{\partial C}{\partial b^l_j} = \delta^{l+1}_j", False),
    (ni, r"\delta^L_j = (a^L_j - y_j) a^L_j (1 - a^L_j)", True),
    (ni, r"\delta^L_j = (y_j - a^L_j) \sigma'(z^L_j)", False),
    (ni, r"\delta^L_j = (a^L_j - y_j) \sigma'(a^L_j)", False),
    (ni, r"\delta^L_j = (a^L_j - y_j) \sigma(z^L_j)", False),
    (ni, r"\delta^l_j = \sum_k w^{l+1}_{kj} \delta^{l+1}_k \sigma'(z^{l+1}_k)", False),
    (ni, r"a^{l}_j = \sigma\left( \sum_k w^{l}_{jk} a^{l-1}_k + b^l_j \right)", True),
    (ni, r"a^{l}_j = \sigma\left( \sum_k w^{l}_{jk} a^{l-1}_k \right)", False),
]
