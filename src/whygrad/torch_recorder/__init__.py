"""Records a PyTorch model and its losses as the same graph that layered networks are."""

from whygrad.torch_recorder.recorder import record_model

__all__ = ["record_model"]
