"""Builds and loads the simulated accelerator: afterwards tensors may be on the device "sim"."""

import subprocess
import types
from pathlib import Path
from typing import Any

import torch

SOURCE = Path(__file__).with_name("accelerator.cpp")


def build(to: Path) -> None:
    """Compiles the accelerator, against the headers that PyTorch brings."""
    root = Path(torch.__file__).parent
    includes = [f"-I{root / 'include'}", f"-I{root / 'include/torch/csrc/api/include'}"]
    libraries = [f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu", "-ltorch"]
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}"
    flags = ["-std=c++20", "-O0", "-w", "-fPIC", "-shared", abi]
    subprocess.run(["g++", *flags, *includes, str(SOURCE), "-o", str(to), *libraries], check=True)


def load(library: Path) -> None:
    """Makes the device "sim" known to this process, for good."""
    torch.ops.load_library(str(library))
    torch.utils.rename_privateuse1_backend("sim")
    module: Any = types.ModuleType("torch.sim")
    state = {"now": torch.zeros(1, dtype=torch.uint8)}
    module.is_available = module.is_initialized = lambda: True
    module.device_count, module.current_device = lambda: 1, lambda: 0
    module._is_in_bad_fork, module._lazy_init = lambda: False, lambda: None
    module.manual_seed_all = lambda seed: None
    module.get_rng_state = lambda device=None: state["now"]
    module.set_rng_state = lambda new, device=None: state.update(now=new)
    torch._register_device_module("sim", module)
    torch.utils.generate_methods_for_privateuse1_backend()
    # parameters stay the same objects when they are moved there, as on real devices
    torch.__future__.set_swap_module_params_on_conversion(True)
