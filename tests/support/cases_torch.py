"""One tiny PyTorch network in every format, with the predictions of PyTorch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import safetensors.torch
import torch
from cases import NAMES, Case, Saved, batch_of, rows
from torch_networks import Net

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def torch_network() -> Net:
    torch.manual_seed(3)
    return Net().eval()


def save_torch(name: str, save: Callable[[Net, Path], object], **options: object) -> Callable[[Path], Saved]:
    def saved(folder: Path) -> Saved:
        network, values = torch_network(), rows()
        path = folder / name
        save(network, path)
        with torch.inference_mode():
            predicted = network(torch.from_numpy(values)).numpy()
        return Saved(path, batch_of(values), {"predict": predicted}, NAMES, options, is_exact=False)

    return saved


def export(network: Net, path: Path) -> None:
    shapes = {"x": {0: torch.export.Dim("rows")}}
    torch.export.save(torch.export.export(network, (torch.from_numpy(rows()),), dynamic_shapes=shapes), path)


BY_NAME = {"feature_names": list(NAMES)}
BY_CLASS = {"model_class": "torch_networks:Net", "model_kwargs": {"hidden": 8}, **BY_NAME}


def _case(
    name: str,
    kind: str,
    file: str,
    save: Callable[[Net, Path], object],
    options: dict[str, object],
    *,
    needs_pin: bool = False,
) -> Case:
    versions = ("safetensors", "torch") if kind == "safetensors" else ("torch",)
    saving = save_torch(file, save, **options)
    return Case(f"torch-{name}", "torch", kind, saving, "torch", "torch", versions, needs_pin=needs_pin)


def _tensors(network: Net, path: Path) -> None:
    safetensors.torch.save_file(network.state_dict(), path)


def _state_dict(network: Net, path: Path) -> None:
    torch.save(network.state_dict(), path)


def _script(network: Net, path: Path) -> None:
    torch.jit.script(network).save(path)


def _trace(network: Net, path: Path) -> None:
    torch.jit.trace(network, torch.from_numpy(rows())).save(path)


def _legacy(network: Net, path: Path) -> None:
    torch.save(network, path, _use_new_zipfile_serialization=False)


CASES = [
    _case("safetensors", "safetensors", "net.safetensors", _tensors, BY_CLASS),
    _case("state-dict", "torch-state-dict", "net.pth", _state_dict, BY_CLASS),
    _case("script", "torchscript", "net.pt", _script, BY_NAME, needs_pin=True),
    _case("trace", "torchscript", "net.ts", _trace, BY_NAME, needs_pin=True),
    _case("export", "torch-export", "net.pt2", export, BY_NAME, needs_pin=True),
    _case("pickle", "torch-pickle", "net.pt", torch.save, BY_NAME, needs_pin=True),
    _case("legacy-pickle", "torch-pickle", "net.pth", _legacy, BY_NAME, needs_pin=True),
]
