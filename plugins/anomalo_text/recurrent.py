"""A gated recurrent layer over texts of different lengths, without work for the padding behind them."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence


class Recurrent(nn.Module):
    """A gated recurrent unit.

    r, u = sigmoid(W x + U h), c = tanh(V x + r * (Q h)), h' = c + u * (h - c).

    Unlike torch's own layer, whose backward pass over sequences of different lengths takes time that grows with the
    square of the longest one, its time grows with the number of characters.

    Reference: Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, EMNLP.

    Parameters
    ----------
    width, hidden : int
        Of the inputs and of the states.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.inputs = nn.Linear(width, 3 * hidden)
        self.states = nn.Linear(hidden, 3 * hidden)
        for layer in (self.inputs, self.states):
            nn.init.uniform_(layer.weight, -(hidden**-0.5), hidden**-0.5)

    def step(self, given: Tensor, state: Tensor) -> Tensor:
        """Return the next state [n, hidden] for an input after `inputs`, [n, 3 * hidden]."""
        kept, gates = self.states(state), 2 * self.hidden
        reset, update = torch.sigmoid(given[:, :gates] + kept[:, :gates]).chunk(2, dim=1)
        candidate = torch.tanh(torch.addcmul(given[:, gates:], reset, kept[:, gates:]))
        return torch.lerp(candidate, state, update)

    def forward(self, inputs: Tensor, state: Tensor, sizes: Tensor) -> tuple[PackedSequence, Tensor]:
        """Return the states after each input, and each row's last one.

        Parameters
        ----------
        inputs : float [n, length, width]
        state : float [n, hidden]
            The first one.
        sizes : int64 [n], on the CPU
            How many inputs each row has.

        Returns
        -------
        packed sequence of float [all inputs, hidden]
        float [n, hidden]
        """
        packed = pack_padded_sequence(inputs, sizes, batch_first=True, enforce_sorted=False)
        assert packed.sorted_indices is not None, "the rows are in any order"
        assert packed.unsorted_indices is not None, "the rows are in any order"
        state, states = state[packed.sorted_indices], []
        for given in torch.split_with_sizes(self.inputs(packed.data), packed.batch_sizes.tolist()):
            state = self.step(given, state[: len(given)])
            states.append(state)
        all_states = torch.cat(states)
        starts = torch.cumsum(packed.batch_sizes, 0) - packed.batch_sizes
        last = starts[sizes - 1].to(inputs.device) + packed.unsorted_indices
        return packed._replace(data=all_states), all_states[last]
