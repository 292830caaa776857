"""Trees of values and tensors survive storing exactly."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.checkpoint import format as state_file

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(trees)
def test_plain_trees_come_back_equal_and_of_the_same_types(tree: Any) -> None:
    back = state_file.load(*state_file.dump(tree))
    assert back == tree
    assert repr(back) == repr(tree)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool])
def test_tensors_come_back_bit_by_bit(dtype: torch.dtype) -> None:
    tensor = (torch.randn(3, 5) * 100).to(dtype)
    back = state_file.load(*state_file.dump({"a": [tensor, tensor.t()]}))["a"]
    assert back[0].dtype == dtype
    assert torch.equal(back[0], tensor)
    assert torch.equal(back[1], tensor.t())


def test_scalar_and_empty_tensors_and_arrays_keep_their_shape() -> None:
    tree = {"t": torch.tensor(2.5), "e": torch.empty(0, 3), "a": np.arange(3, dtype=np.uint64)}
    back = state_file.load(*state_file.dump(tree))
    assert back["t"].shape == ()
    assert back["e"].shape == (0, 3)
    assert back["a"].dtype == np.uint64


def test_optimizer_state_with_integer_keys_goes_back_into_an_optimizer() -> None:
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    back = state_file.load(*state_file.dump(optimizer.state_dict()))
    other = torch.optim.Adam(layer.parameters())
    other.load_state_dict(back)
    assert torch.equal(other.state_dict()["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])


def test_random_states_survive() -> None:
    state = {"python": random.getstate(), "numpy": np.random.get_state(legacy=False), "torch": torch.get_rng_state()}
    expected = random.random(), np.random.rand(), torch.rand(1)
    back = state_file.load(*state_file.dump(state))
    random.setstate(back["python"])
    np.random.set_state(back["numpy"])
    torch.set_rng_state(back["torch"])
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_not_a_number_and_infinity_survive() -> None:
    back = state_file.load(*state_file.dump([math.nan, math.inf, -math.inf]))
    assert math.isnan(back[0])
    assert back[1:] == [math.inf, -math.inf]


def test_what_cannot_be_stored_is_named_with_its_path() -> None:
    with pytest.raises(TypeError, match=r"state\.plugins\.x\.1: a object"):
        state_file.dump({"plugins": {"x": [1, object()]}})


def test_a_single_number_of_any_stride_is_stored() -> None:
    odd = torch.empty_strided((1,), (0,), dtype=torch.int64).fill_(7)
    assert state_file.load(*state_file.dump({"odd": odd}))["odd"].tolist() == [7]
