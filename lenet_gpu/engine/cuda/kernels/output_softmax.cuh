// What follows F6 in the network `modern`: a dense layer, 850 parameters for ten classes, softmax and cross-entropy.
#include "lenet5.cuh"

constexpr int PARAMETERS = OUTPUT_BIAS + CLASSES;
static_assert(CLASSES >= 2 && CLASSES <= 64, "the numbers of classes that are tested");

// Softmax and cross-entropy, E = -mean over the batch of (sum over j of target[j] log p[j]):
//   p[j] = exp(a[j]) / sum over k of exp(a[k])            d[j] = (p[j] - target[j]) / batch
// The target is 1 for the label and 0 for the other classes; of an image of none of them, 1 / CLASSES for
// each class.
__device__ inline float target(int j, int label) {
    return label == NO_CLASS ? 1.0f / CLASSES : (j == label ? 1.0f : 0.0f);
}
