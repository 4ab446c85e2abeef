"""What an input can't show: mistakes that make no difference on it."""

from typing import Any

import numpy as np

from whygrad.diagnosis.setting import Setting


def unseen(setting: Setting) -> tuple[str, ...]:
    """Returns a sentence for each thing about the network and its examples that hides mistakes.

    Example:
        >>> import whygrad as wg
        >>> from whygrad.diagnosis.setting import Setting
        >>> unseen(Setting(wg.Network.default().run()))[0]
        'One example: sums, means and mixed-up examples all look the same.'
    """
    made: list[str] = []
    if setting.examples == 1:
        made.append("One example: sums, means and mixed-up examples all look the same.")
    if setting.sizes[-1] == 1:
        made.append("One output: a missing sum over the outputs makes no difference.")
    if all(float(np.max(np.abs(array), initial=0.0)) == 0 for array in setting.deltas.values()):
        made.append(
            "Every derivative is 0 here (the cost is at a stationary point): almost any mistake gives 0 too."
        )
    elif setting.data_cost() == 0:
        made.append("The cost is 0 here.")
    for layer in range(1, setting.depth + 1):
        made += _layer(setting, layer)
    return tuple(made)


def _layer(setting: Setting, layer: int) -> list[str]:
    made = []
    W: Any = setting.W[layer]
    name = setting.activation[layer].name
    if not np.any(W):
        made.append(f"W{layer} is all zeros: nothing is sent back through it.")
    elif W.shape[0] == W.shape[1] > 1 and np.allclose(W, W.T):
        made.append(f"W{layer} is symmetric: W{layer} and its transpose give the same way back.")
    if name in ("relu", "leaky_relu"):
        if (setting.z[layer] > 0).all():
            made.append(
                f"All units of layer {layer} are active on all examples: a missing or wrong mask makes no difference."
            )
        elif (setting.z[layer] <= 0).all():
            made.append(
                f"No unit of layer {layer} is active on any example: below it, every gradient is 0 or nearly so."
            )
    if name not in ("identity", "relu", "leaky_relu") and not setting.dense(layer):
        slope = setting.slope[layer]
        if np.max(np.abs(slope)) < 1e-6:
            made.append(f"Layer {layer} is saturated: its slopes are all nearly 0.")
    if setting.at_kink(layer).any():
        many = int(setting.at_kink(layer).sum())
        made.append(
            f"{many} pre-activations of layer {layer} are on the kink of {name}: any slope between both sides is right."
        )
    if layer == 1 and not np.any(setting.a[0]):
        made.append("The inputs are all zeros: dW1 is 0 whatever is done.")
    return made
