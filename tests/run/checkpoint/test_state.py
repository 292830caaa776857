"""An optimizer that is restored goes on as if it had never been away."""

from __future__ import annotations

import pytest
import torch

from toolkit.run.checkpoint.state import restore_optimizer

MAKERS = {
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, fused=True),
    "adam-loop": lambda parameters: torch.optim.Adam(parameters, lr=0.1, foreach=False),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_next_step_is_the_same_in_any_memory_format(name: str, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    gradients = [torch.randn(6, 3, 3, 3).contiguous(memory_format=memory_format) for _ in range(4)]
    weight = torch.nn.Parameter(torch.randn(6, 3, 3, 3).contiguous(memory_format=memory_format))
    optimizer = MAKERS[name]([weight])
    for gradient in gradients[:2]:
        weight.grad = gradient
        optimizer.step()

    # As a checkpoint keeps them: values only, without strides.
    saved = optimizer.state_dict()
    plain = {
        "state": {
            i: {k: v.contiguous().clone() if torch.is_tensor(v) else v for k, v in moments.items()}
            for i, moments in saved["state"].items()
        },
        "param_groups": saved["param_groups"],
    }
    copy = torch.nn.Parameter(weight.detach().clone(memory_format=torch.preserve_format))
    restored = MAKERS[name]([copy])
    restore_optimizer(restored, plain)

    for gradient in gradients[2:]:
        for parameter, stepping in ((weight, optimizer), (copy, restored)):
            parameter.grad = gradient
            stepping.step()
    assert torch.equal(weight, copy)
