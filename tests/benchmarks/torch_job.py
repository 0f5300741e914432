"""The job of `lenet-gpu train --recipe classic --epochs 1` in PyTorch: train, evaluate both sets, save.

python torch_job.py eager|compile OUT.pt        the last line is JSON with the time of the first step
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

FOLDER = Path(__file__).resolve().parents[2] / "data" / "mnist"
TABLE = ["012", "123", "234", "345", "045", "015", "0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245",
         "0235", "012345"]  # fmt: skip
BATCH = 32


def read(name: str, offset: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress((FOLDER / f"{name}-ubyte.gz").read_bytes()), np.uint8, offset=offset)


class Subsampling(torch.nn.Module):
    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = torch.nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = torch.nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, x):
        return F.avg_pool2d(x, 2) * (4 * self.coefficient) + self.bias


class LeNet5(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c3 = torch.nn.Conv2d(1, 6, 5), torch.nn.Conv2d(6, 16, 5)
        self.s2, self.s4 = Subsampling(6), Subsampling(16)
        self.c5, self.f6, self.output = torch.nn.Linear(400, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)
        mask = torch.zeros(16, 6, 1, 1)
        for out, row in enumerate(TABLE):
            mask[out, [int(i) for i in row]] = 1
        self.register_buffer("mask", mask)

    def forward(self, images):
        def squash(a):
            return 1.7159 * torch.tanh(2 / 3 * a)

        x = F.pad(images[:, None].float() * (1.275 / 255) - 0.1, (2, 2, 2, 2), value=-0.1)
        x = squash(self.s2(squash(self.c1(x))))
        x = squash(self.s4(squash(F.conv2d(x, self.c3.weight * self.mask, self.c3.bias))))
        return self.output(squash(self.f6(squash(self.c5(x.flatten(1))))))


def main(mode: str, out: str) -> None:
    sets = {}
    for split, name in (("train", "train"), ("test", "t10k")):
        images = torch.from_numpy(read(f"{name}-images-idx3", 16).reshape(-1, 28, 28).copy())
        sets[split] = images, torch.from_numpy(read(f"{name}-labels-idx1", 8).astype(np.int64))
    torch.manual_seed(0)
    model = LeNet5()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    images, labels = sets["train"]

    def step(index):
        loss = F.cross_entropy(model(images[index]), labels[index])
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss.detach()

    if mode == "compile":
        step = torch.compile(step)
    first, total = 0.0, torch.zeros(())
    for index in torch.randperm(len(labels)).split(BATCH):
        total += step(index)
        first = first or time.monotonic()
    with torch.inference_mode():
        for name, (x, y) in sets.items():
            right = sum(
                int((model(a).argmax(1) == b).sum()) for a, b in zip(x.split(1000), y.split(1000), strict=True)
            )
            print(f"{name} accuracy {100 * right / len(y):.2f} %")
    torch.save(model.state_dict(), out)
    print(json.dumps({"first_step": first}))


if __name__ == "__main__":
    main(*sys.argv[1:])
