"""Starting is cheap: `import whygrad` loads NumPy and nothing else that is heavy."""

import subprocess
import sys

import pytest

HEAVY = (
    "lark",
    "rich",
    "typer",
    "click",
    "torch",
    "scipy",
    "safetensors",
    "latex2mathml",
    "jax",
    "pandas",
    "matplotlib",
)


def loaded_after(code: str) -> set[str]:
    """Returns the top-level modules that a fresh process has loaded after some code."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import whygrad",
        "import whygrad as wg; wg.Network.default()",
        "import whygrad as wg; wg.Network.default().run().gradients()['W1']",
        "import whygrad as wg; wg.Network.default().run().paths('w^0_{0,1}').contribution",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    loaded = loaded_after(code)
    assert "numpy" in loaded
    assert "whygrad" in loaded
    assert not loaded.intersection(HEAVY)


def test_only_what_is_used_is_loaded() -> None:
    script = "import whygrad, sys; print(*[name for name in sys.modules if name.startswith('whygrad.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there() -> None:
    import whygrad as wg

    assert wg.__version__
    for name in wg.__all__:
        assert getattr(wg, name) is not None
    assert set(wg.__all__) <= set(dir(wg))
    with pytest.raises(AttributeError, match="module 'whygrad' has no attribute 'netwerk'"):
        _ = wg.netwerk
