"""Records every model on the host and on the accelerator: ``python -m … LIBRARY`` prints what differs, as JSON."""

import copy
import json
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_map

import whygrad as wg
from tests.torch_recorder.device.models import MODELS
from tests.torch_recorder.device.simulated import load

SEMIRINGS = ("total", "strongest", "extremes", "count", "live", "entropy")


def alike(name: str, one: Any, other: Any) -> None:
    """Raises an error where numbers differ, wherever they are."""
    sides = [
        np.asarray(side.cpu() if isinstance(side, torch.Tensor) else side, dtype=float)
        for side in (one, other)
    ]
    np.testing.assert_allclose(*sides, rtol=1e-8, atol=1e-10, err_msg=name)


def there(batch: Any) -> Any:
    return tree_map(lambda x: x.to("sim") if isinstance(x, torch.Tensor) else x, batch)


def compared(name: str) -> None:
    """Raises an error where a record of a model on the accelerator isn't that of the model on the host."""
    torch.manual_seed(0)
    random.seed(0)
    model, batch, costs = MODELS[name]()
    moved, drawn, order = copy.deepcopy(model).to("sim"), torch.get_rng_state(), random.getstate()
    host = wg.record(model, batch, costs)

    def costs_there(model: Any, batch: Any) -> Any:
        with torch.device("sim"):  # what the functions of the tests make by themselves
            return costs(model, batch)

    torch.set_rng_state(drawn)
    random.setstate(order)
    device = wg.record(moved, there(batch), costs_there)
    one, other = host.gradients(), device.gradients()
    for parameter, tensor in moved.named_parameters():
        if parameter in other:
            assert other[parameter].device == tensor.device, f"{parameter} is on {other[parameter].device}"
            alike(f"gradient by {parameter}", one[parameter], other[parameter])
    alike("Gramian", one.gramian(), other.gramian())
    for semiring in SEMIRINGS:
        for parameter in host.parameters:
            sums = host.sweep(semiring)[parameter], device.sweep(semiring)[parameter]
            alike(f"{semiring} of {parameter}", *sums)
    for parameter in list(host.parameters)[:2]:
        paths = host.paths(parameter, k=3), device.paths(parameter, k=3)
        assert paths[0].count == paths[1].count
        alike(f"strongest paths of {parameter}", *([path.contribution for path in found] for found in paths))
    others = {fork.place: fork for fork in device.branches()}
    for fork in host.branches():  # kernels of accelerators may have other values in them
        if fork.place in others and fork.place in host.parameters:
            alike(f"what comes back to {fork.place}", fork.whole, others[fork.place].whole)
    assert device.report().to_json().keys() == host.report().to_json().keys()


def main() -> None:
    load(Path(sys.argv[1]))
    torch.set_default_dtype(torch.float64)
    warnings.simplefilter("ignore")
    found = {}
    for name in MODELS:
        try:
            compared(name)
        except Exception as error:  # told by the test of this name
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
