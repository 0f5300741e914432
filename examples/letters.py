"""Train LeNet-5 on the 26 capital letters, drawn by the project's own templates of handwriting.

python examples/letters.py
"""

from string import ascii_uppercase

import numpy as np

from lenet_gpu import LeNet5, Trainer
from lenet_gpu.handwriting import draw_letters
from lenet_gpu.ink.preprocess import drawings_to_mnist


def letters(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw letters in many hands: images (count, 28, 28) uint8, and what they are."""
    rng = np.random.default_rng(seed)
    names = np.array(list(ascii_uppercase))[np.arange(count) % 26]
    pens = np.stack([rng.uniform(1.4, 3.2, count), rng.uniform(0.8, 1.6, count)], axis=1)  # width, softness
    return drawings_to_mnist(draw_letters(rng, names), pens), names


def main(images: int = 4000, epochs: int = 6) -> float:
    """Train; return the accuracy on letters that were not trained on."""
    net = LeNet5(classes=26, seed=1)
    run = Trainer(net, "fast", epochs=epochs).fit(*letters(images, seed=1), validation=0.1)
    test_images, test_names = letters(1300, seed=2)
    print("".join(test_names[:26]), "is read as", "".join(run.model.predict(test_images[:26])))
    accuracy = run.model.evaluate(test_images, test_names).accuracy
    print(f"{100 * accuracy:.2f} % of 1,300 letters")
    return accuracy


if __name__ == "__main__":
    main()
