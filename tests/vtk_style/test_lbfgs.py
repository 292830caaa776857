from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from vtk_style.lbfgs import LBFGS


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1].square()).square() + (1 - x[:-1]).square()).sum()


def minimise(function, start, steps, **options):
    x = start.clone().requires_grad_()
    optimizer, losses = LBFGS([x], **options), []

    def closure():
        optimizer.zero_grad()
        loss = function(x)
        loss.backward()
        losses.append(loss.item())
        return loss.detach()

    for _ in range(steps):
        optimizer.step(closure)
    return x.detach(), losses, optimizer


def quadratic(size, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    curvature = torch.logspace(0, 3, size, dtype=torch.float64)
    target = torch.randn(size, generator=generator, dtype=torch.float64)
    return (lambda x: scale * (curvature * (x - target).square()).mean()), target


def test_finds_the_minimum_that_scipy_finds():
    start = torch.zeros(6, dtype=torch.float64)
    ours, losses, _ = minimise(rosenbrock, start, 120, history=10)
    theirs = minimize(lambda v: rosenbrock(torch.tensor(v)).item(), np.zeros(6), method="L-BFGS-B", tol=1e-12)
    assert losses[-1] < 1e-9
    assert torch.allclose(ours, torch.tensor(theirs.x), atol=1e-3)


def test_each_step_evaluates_once():
    _, losses, _ = minimise(rosenbrock, torch.zeros(4), 17)
    assert len(losses) == 17


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_progress_does_not_depend_on_the_scale_of_the_objective(scale):
    function, _ = quadratic(64, scale)
    start = torch.zeros(64, dtype=torch.float64)
    _, losses, optimizer = minimise(function, start, 60)
    reference = minimise(quadratic(64)[0], start, 60)[1]
    assert losses[-1] / losses[0] == pytest.approx(reference[-1] / reference[0], rel=0.2)
    assert len(optimizer.state[optimizer.param_groups[0]["params"][0]]["s"]) == 6


def test_the_first_step_has_its_length_for_any_size_and_scale():
    for size, scale in ((10, 1e-9), (5000, 1e5)):
        start = torch.zeros(size, dtype=torch.float64)
        x, _, _ = minimise(quadratic(size, scale)[0], start, 1, first_step=0.02)
        assert x.square().mean().sqrt().item() == pytest.approx(0.02)


def test_a_step_that_makes_it_much_worse_is_taken_back_and_halved():
    x, losses, _ = minimise(lambda v: v.square().sum(), torch.tensor([1.0]), 2, first_step=16.0)
    assert losses == pytest.approx([1.0, 225.0])
    assert x.item() == pytest.approx(-7.0)


def test_a_history_in_bfloat16_takes_half_and_still_converges():
    function, _ = quadratic(64)
    start = torch.zeros(64)
    _, losses, optimizer = minimise(lambda v: function(v.double()).float(), start, 150, history_dtype=torch.bfloat16)
    assert losses[-1] < 1e-3 * losses[0]
    state = next(iter(optimizer.state.values()))
    assert {pair.dtype for pair in state["s"] + state["y"]} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_restored_optimizer_goes_on_to_the_bit(dtype):
    start = torch.zeros(8)
    straight, _, _ = minimise(rosenbrock, start, 30, history_dtype=dtype)
    halfway, _, optimizer = minimise(rosenbrock, start, 13, history_dtype=dtype)
    saved = copy.deepcopy(optimizer.state_dict())
    x = halfway.clone().requires_grad_()
    fresh = LBFGS([x], history_dtype=dtype)
    fresh.load_state_dict(saved)
    kept = fresh.state[x]["s"] + fresh.state[x]["y"]
    assert {pair.dtype for pair in kept} == {dtype or torch.float32}

    def closure():
        fresh.zero_grad()
        loss = rosenbrock(x)
        loss.backward()
        return loss.detach()

    for _ in range(17):
        fresh.step(closure)
    assert torch.equal(x.detach(), straight)


def test_a_flat_objective_stays_where_it_is():
    x, losses, _ = minimise(lambda v: 0 * v.sum() + 1, torch.tensor([0.3, 0.4]), 3)
    assert torch.equal(x, torch.tensor([0.3, 0.4]))
    assert losses == [1.0, 1.0, 1.0]


def test_refuses_several_tensors_and_a_missing_closure():
    with pytest.raises(ValueError, match="single"):
        LBFGS([torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError, match="closure"):
        LBFGS([torch.zeros(1, requires_grad=True)]).step()
