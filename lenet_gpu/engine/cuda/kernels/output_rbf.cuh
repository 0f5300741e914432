// What follows F6 in the network `paper`: ten radial basis functions around fixed codes, and losses (8) and (9).
//
// Nothing is trained here. With x the 84 values of F6 and w[i] the code of digit i (section II.B):
//
//   y[i] = sum over j of (x[j] - w[i, j])^2                                                     (equation 7)
//
// y is a penalty, of which the smallest wins. What is kept is the score s[i] = -y[i], of which the largest wins, as of
// the scores of head_softmax.cuh; so loss (9) is a softmax over eleven scores, the last of them constant.
#include "codes.cuh"
#include "lenet5.cuh"

constexpr int PARAMETERS = OUTPUT_WEIGHT;
static_assert(PARAMETERS == 60000, "trainable parameters of the whole network (section II.B)");
static_assert(CLASSES == sizeof(CODES) / sizeof(CODES[0]), "a code for each digit");

// The losses by the numbers of their equations.
constexpr int RIGHT_PENALTY = 8;  // (9), maximum a posteriori, otherwise

// Component `unit` of a digit's code, +-1: a bit of codes.cuh.
__device__ inline float code(int digit, int unit) {
    return (CODES[digit][unit / WARP] >> (unit % WARP) & 1u) != 0 ? 1.0f : -1.0f;
}
