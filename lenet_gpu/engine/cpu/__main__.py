"""Print the calls of a training step: `python -m lenet_gpu.engine.cpu`."""

from __future__ import annotations

from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.nn.lenet5 import LeNet5


def main() -> None:
    """Print the calls of one step of LeNet-5."""
    network = LeNet5()
    print(CpuPlan.of(network, [network.gradients]).describe())


if __name__ == "__main__":
    main()
