"""Modules that ``load_options`` can name: importable in a fresh process, where nothing but torch is loaded for them."""

from __future__ import annotations

import torch


class Net(torch.nn.Module):
    """Four numbers a row in, some logits out; a dropout would show training mode."""

    def __init__(self, hidden=8, classes=3):
        super().__init__()
        self.first = torch.nn.Linear(4, hidden)
        self.dropout = torch.nn.Dropout(0.5)
        self.norm = torch.nn.BatchNorm1d(hidden)
        self.last = torch.nn.Linear(hidden, classes)

    def forward(self, x):
        return self.last(self.dropout(self.norm(torch.relu(self.first(x)))))


class TwoInputs(torch.nn.Module):
    """A vector of three numbers and a whole number a row in, two outputs by name."""

    def __init__(self):
        super().__init__()
        self.towns = torch.nn.Embedding(5, 3)

    def forward(self, vector, town):
        both = vector + self.towns(town)
        return {"sum": both.sum(dim=1), "both": both}


class Pair(torch.nn.Module):
    """Outputs as a tuple."""

    def forward(self, x):
        return x[:, 0], x * 2


class Nothing(torch.nn.Module):
    """No ``forward`` of its own."""


class Odd(torch.nn.Module):
    """An output that is no tensor."""

    def forward(self, x):
        return [{"deep": x}]
