"""Corrupted texts: errors before the end, as many as asked for, and nothing else."""

import torch

from anomalo.plugin import MISSING
from anomalo_text.codes import END, lengths
from anomalo_text.corruption import corrupted

TEXTS = torch.tensor([[3, 4, 5, 6, 7, 2, 2, 2], [2] * 8, [3, 4, 3, 4, 3, 4, 3, 4], [5, 2, 2, 2, 2, 2, 2, 2]])


def test_lengths_count_the_end() -> None:
    assert lengths(TEXTS).tolist() == [6, 1, 8, 2]


def test_a_share_of_nothing_changes_nothing() -> None:
    assert corrupted(TEXTS, 0.0, 8).equal(TEXTS)


def test_each_kind_of_error_occurs_and_every_text_still_ends() -> None:
    torch.manual_seed(0)
    many = TEXTS[:1].expand(3000, -1)
    found = corrupted(many, 0.2, 30)
    sizes = lengths(found)
    assert set(sizes.tolist()) == {5, 6, 7}
    assert 0.15 < (sizes == 5).float().mean() < 0.25  # a character is left out
    assert 0.15 < (sizes == 7).float().mean() < 0.25  # one is put in
    same = found[sizes == 6][:, :5]
    assert 0.15 < (same == MISSING).float().mean() < 0.25
    replaced = (same != MISSING) & (same != TEXTS[0, :5])
    assert 0.03 < replaced.float().mean() < 0.08
    assert (same[replaced] > END).all()
    assert corrupted(TEXTS[1:2].expand(50, -1), 0.9, 8).equal(TEXTS[1:2].expand(50, -1))
