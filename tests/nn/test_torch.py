"""PyTorch's autograd as an independent witness of the network (runs where torch is installed; CI installs it)."""

import numpy as np
import pytest

from lenet_gpu import LeNet5, paper
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.optim import SGD

pytestmark = pytest.mark.torch


def torch_loss(torch, parameters, images, labels, loss="cross_entropy"):
    """LeNet-5 written with PyTorch's own operations, from the paper alone."""
    p = parameters

    def squash(a):
        return 1.7159 * torch.tanh(2.0 / 3.0 * a)

    def subsample(x, name):
        total = 4 * torch.nn.functional.avg_pool2d(x, 2)
        return total * p[f"{name}.coefficient"][:, None, None] + p[f"{name}.bias"][:, None, None]

    table = torch.zeros(16, 6, 5, 5, dtype=images.dtype)
    rows = [o for o, row in enumerate(paper.C3_TABLE) for _ in row]
    columns = [i for row in paper.C3_TABLE for i in row]
    c3 = table.index_put((torch.tensor(rows), torch.tensor(columns)), p["c3.weight"])
    x = torch.nn.functional.pad(images / 255 * 1.275 - 0.1, (2, 2, 2, 2), value=-0.1)[:, None]
    x = squash(torch.nn.functional.conv2d(x, p["c1.weight"], p["c1.bias"]))
    x = squash(subsample(x, "s2"))
    x = squash(torch.nn.functional.conv2d(x, c3, p["c3.bias"]))
    x = squash(subsample(x, "s4"))
    x = squash(torch.nn.functional.conv2d(x, p["c5.weight"], p["c5.bias"]))[:, :, 0, 0]
    x = squash(torch.nn.functional.linear(x, p["f6.weight"], p["f6.bias"]))
    if "output.weight" in p:
        logits = torch.nn.functional.linear(x, p["output.weight"], p["output.bias"])
        return torch.nn.functional.cross_entropy(logits, labels)
    codes = torch.tensor(paper.CODES, dtype=images.dtype)
    penalties = torch.cdist(x, codes, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    right = penalties[torch.arange(len(labels)), labels]
    if loss == "rbf":
        return right.mean()
    rubbish = torch.full((len(labels), 1), -paper.RUBBISH_PENALTY, dtype=images.dtype)
    return (right + torch.logsumexp(torch.cat([-penalties, rubbish], dim=1), dim=1)).mean()


def leaves(torch, model):
    return {name: torch.tensor(view, requires_grad=True) for name, view in model.views.items()}


def test_loss_and_every_gradient_equal_autograd(torch, mnist):
    """In float64, where only the formula can differ."""
    model = LeNet5(seed=4, dtype="float64")
    images, labels = mnist.train.images[:16], mnist.train.labels[:16].astype(np.int64)
    loss, gradients = model.loss_and_grads(images, labels)
    p = leaves(torch, model)
    witness = torch_loss(torch, p, torch.tensor(images, dtype=torch.float64), torch.tensor(labels))
    witness.backward()
    assert loss == pytest.approx(witness.item(), rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, p[name].grad.numpy(), rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_the_papers_network_and_its_losses_equal_autograd(torch, loss, mnist):
    model = LeNet5("paper", seed=4, dtype="float64", initialisation="sqrt")
    model.loss = loss
    images, labels = mnist.train.images[:8], mnist.train.labels[:8].astype(np.int64)
    found, gradients = model.loss_and_grads(images, labels)
    p = leaves(torch, model)
    witness = torch_loss(torch, p, torch.tensor(images, dtype=torch.float64), torch.tensor(labels), loss)
    witness.backward()
    assert found == pytest.approx(witness.item(), rel=1e-11)
    for name, gradient in gradients.items():
        expected = p[name].grad.numpy()
        np.testing.assert_allclose(gradient, expected, atol=1e-10 * np.abs(expected).max(), err_msg=name)


def test_twenty_steps_equal_torchs_optimiser(torch, mnist):
    model = LeNet5(seed=4, dtype="float64")
    p = leaves(torch, model)
    optimiser = torch.optim.SGD(p.values(), lr=0.05)
    engine = LayeredEngine(model, SGD())
    engine.load(mnist.train.images[:640], mnist.train.labels[:640])
    losses = engine.train(np.arange(640), 32, np.full(20, 0.05))
    for step in range(20):
        part = slice(32 * step, 32 * step + 32)
        optimiser.zero_grad()
        images = torch.tensor(mnist.train.images[part], dtype=torch.float64)
        loss = torch_loss(torch, p, images, torch.tensor(mnist.train.labels[part].astype(np.int64)))
        loss.backward()
        optimiser.step()
        assert losses[step] == pytest.approx(loss.item(), rel=1e-6)
    for name, view in model.views.items():
        np.testing.assert_allclose(view, p[name].detach().numpy(), rtol=1e-8, atol=1e-11, err_msg=name)
