// What follows F6 in the network `paper`, see output_rbf.cuh.
#include "output_rbf.cuh"
#include "portable/scores.cuh"

// A warp takes a digit, a lane every 32nd unit: all lanes read the same word of the code, which takes a single request.
static_assert(CLASSES <= WARPS && SCORES_A_LANE == 1, "a warp for each digit, a lane for each digit");

struct Head {
    __device__ void load(const float* /* nothing is trained here */) {}
    __device__ void forward(Memory& m) const {
        const int lane = threadIdx.x % WARP, digit = threadIdx.x / WARP;
        if (digit >= CLASSES) return;
        float y = 0.0f;
#pragma unroll
        for (int first = 0; first < F6_UNITS; first += WARP) {
            const int unit = first + lane;
            if (unit < F6_UNITS) {
                const float difference = m.f6[unit] - code(digit, unit);
                y += difference * difference;
            }
        }
        y = warp_sum(y);
        if (lane == 0) m.output[digit] = -y;
    }
};

// With N the images of the batch, j the penalty of the rubbish class, which stands for everything that is no digit:
//
//   E = mean of y[label]                                               d[i] = -target[i] / N             (equation 8)
//   E = mean of y[label] + log(e^-j + sum over k of e^-y[k])           d[i] = (p[i] - target[i]) / N     (equation 9)
//   p[i] = e^-y[i] / (e^-j + sum over k of e^-y[k])
//
// Here d is dE/ds, and target is 1 for the label, 0 for all others. An image that is not a digit has the penalty j
// in loss (9), and counts for nothing in loss (8).
//
// Back to F6 and through its squashing: dE/da[j] = f'(a[j]) * sum over i of d[i] * 2 (w[i, j] - x[j])
struct BackHead {
    float component[CLASSES_A_SLICE];  // of the codes, for a unit of F6

    __device__ void load(const float* /* nothing is trained here */) {
#pragma unroll
        for (int k = 0; k < CLASSES_A_SLICE; ++k) component[k] = code(class_of_head(k), unit_of_head());
    }

    // The loss, and back to F6.
    __device__ void backward(int loss, int label, float one_over_batch, Memory& m) const {
        const int warp = threadIdx.x / WARP, i = class_of(0);
        if (warp > HEAD_WARPS) return;
        const bool exists = i < CLASSES, digit = label != NO_CLASS;
        const float score[1] = {exists ? m.output[i] : LOWEST};
        const float largest = largest_score(score);
        float p = 0.0f, image_loss = digit ? -m.output[label] : 0.0f;
        if (loss != RIGHT_PENALTY) {
            const float out = fmaxf(largest, -RUBBISH_PENALTY);  // of all exponents, so that not all terms can be 0
            const float e[1] = {exists ? expf(score[0] - out) : 0.0f};
            const float total = expf(-RUBBISH_PENALTY - out) + sum_of_scores(e);
            p = e[0] / total;
            image_loss = logf(total) + (out - (digit ? m.output[label] : -RUBBISH_PENALTY));
        }
        const float d[1] = {exists ? (p - (i == label ? 1.0f : 0.0f)) * one_over_batch : 0.0f};
        if (warp < HEAD_WARPS) {
            const float x = m.f6[unit_of_head()];
            float factor[CLASSES_A_SLICE];
#pragma unroll
            for (int k = 0; k < CLASSES_A_SLICE; ++k) factor[k] = 2.0f * (component[k] - x);
            back_to_f6(factor, d, m);
            return;
        }
        if (exists) m.d_output[i] = d[0];
        const int answer = class_with(largest, score);
        if (threadIdx.x % WARP == 0) {
            m.loss = image_loss;
            m.correct = answer == label ? 1.0f : 0.0f;
        }
    }
};
