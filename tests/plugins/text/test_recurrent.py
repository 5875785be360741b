"""The recurrent layer computes what torch's does."""

import pytest
import torch
from torch import nn

from anomalo_text.recurrent import Recurrent


@pytest.mark.parametrize("sizes", [[3, 3, 3], [1, 4, 2]])
def test_states_are_those_of_torchs_layer(sizes: list[int]) -> None:
    torch.manual_seed(0)
    layer, other = Recurrent(5, 7), nn.GRU(5, 7, batch_first=True)
    other.load_state_dict(
        {
            "weight_ih_l0": layer.inputs.weight,
            "bias_ih_l0": layer.inputs.bias,
            "weight_hh_l0": layer.states.weight,
            "bias_hh_l0": layer.states.bias,
        }
    )
    inputs, first = torch.randn(3, 4, 5), torch.randn(3, 7)
    packed = nn.utils.rnn.pack_padded_sequence(inputs, torch.tensor(sizes), batch_first=True, enforce_sorted=False)
    expected, last = other(packed, first[None])
    states, mine = layer(inputs, first, torch.tensor(sizes))
    torch.testing.assert_close(states.data, expected.data)
    torch.testing.assert_close(mine, last[0])
