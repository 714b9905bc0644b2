"""GPT-2-shaped work in PyTorch, to compare `vitrine bench model` with.

The same shapes, the same unfused attention, the same optimiser, and time measured the same way: processor time and wall time around one
whole step, after warm-up steps that are not counted. Prints one JSON line in the form of `vitrine bench model --json`.

    python torch_gpt2.py train|forward [--iterations N] [--warmup N] [--threads N] [--sdpa]
"""

import argparse
import json
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

CASES = {
    # One training step: forward, cross-entropy over every position, backward, AdamW.
    "train": {"width": 256, "layers": 4, "heads": 4, "positions": 128, "batch": 8, "vocabulary": 4096},
    # One forward pass of GPT-2 small with logits at every position.
    "forward": {"width": 768, "layers": 12, "heads": 12, "positions": 64, "batch": 4, "vocabulary": 50257},
}


class Block(nn.Module):
    def __init__(self, width, heads, sdpa):
        super().__init__()
        self.heads, self.sdpa = heads, sdpa
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        batch, positions, width = x.shape
        per_head = width // self.heads
        qkv = self.qkv(self.norm_attention(x)).view(batch, positions, 3, self.heads, per_head)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if self.sdpa:
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            scores = (query @ key.transpose(-1, -2)) / math.sqrt(per_head)
            mixed = torch.softmax(scores.masked_fill(mask, -1e9), -1) @ value
        x = x + self.project(mixed.transpose(1, 2).reshape(batch, positions, width))
        return x + self.down(F.gelu(self.up(self.norm_mlp(x)), approximate="tanh"))


class Model(nn.Module):
    """The output matrix is the embedding; weights are normal with deviation 0.02, biases PyTorch's default."""

    def __init__(self, width, layers, heads, positions, vocabulary, sdpa):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.empty(positions, width))
        self.blocks = nn.ModuleList(Block(width, heads, sdpa) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, 0.0, 0.02)

    def forward(self, ids, mask):
        x = self.embedding(ids) + self.position
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x).flatten(0, 1) @ self.embedding.weight.t()


def measure(step, warmup, iterations):
    for _ in range(warmup):
        step()
    wall, cpu = [], []
    for _ in range(iterations):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        step()
        wall.append((time.perf_counter() - wall_start) * 1e3)
        cpu.append((time.process_time() - cpu_start) * 1e3)
    return wall, cpu


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("case", choices=CASES)
    arguments.add_argument("--iterations", type=int, default=10)
    arguments.add_argument("--warmup", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--sdpa", action="store_true", help="PyTorch's fused attention instead of the unfused one")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    case = CASES[arguments.case]
    batch, positions, vocabulary = case["batch"], case["positions"], case["vocabulary"]
    model = Model(case["width"], case["layers"], case["heads"], positions, vocabulary, arguments.sdpa)
    ids = ((torch.arange(batch * positions) * 7919 + 13) % vocabulary).view(batch, positions)
    mask = torch.triu(torch.ones(positions, positions, dtype=torch.bool), 1)
    seen = {}

    if arguments.case == "train":
        targets = (ids.flatten() + 1) % vocabulary
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.01)

        def step():
            loss = F.cross_entropy(model(ids, mask), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen["loss"] = loss.item()

    else:
        model.eval()

        @torch.no_grad()
        def step():
            seen["logit"] = model(ids, mask)[-1, 0].item()

    wall, cpu = measure(step, arguments.warmup, arguments.iterations)
    print(
        json.dumps(
            {
                "schema": "vitrine-bench-model/1",
                "program": f"torch {torch.__version__}",
                "case": arguments.case,
                "threads": arguments.threads,
                "tokens": batch * positions,
                "parameters": sum(p.numel() for p in model.parameters()),
                "wall_ms": [round(t, 3) for t in wall],
                "cpu_ms": [round(t, 3) for t in cpu],
                **seen,
            }
        )
    )


main()
