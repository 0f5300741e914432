// What follows F6 in the network `paper`, see output_rbf.cuh.
#include "output_rbf.cuh"
#include "portable/form.cuh"

// A warp takes a digit, a lane every 32nd unit: all lanes read the same word of the code, which takes a single request.
static_assert(CLASSES <= WARPS, "a warp for each digit");

__device__ inline void forward_head(const float* /* nothing is trained here */, Memory& m) {
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

// With N the images of the batch, j the penalty of the rubbish class, which stands for everything that is no digit:
//
//   E = mean of y[label]                                               d[i] = -target[i] / N             (equation 8)
//   E = mean of y[label] + log(e^-j + sum over k of e^-y[k])           d[i] = (p[i] - target[i]) / N     (equation 9)
//   p[i] = e^-y[i] / (e^-j + sum over k of e^-y[k])
//
// Here d is dE/ds, and target is 1 for the label, 0 for all others. An image that is not a digit has the penalty j
// in loss (9), and counts for nothing in loss (8).
//
// Ten threads, each of which goes through all ten scores: cheaper than exchanging sums.
__device__ inline void loss_backward(int loss, int label, float one_over_batch, Memory& m) {
    const int i = threadIdx.x;
    if (i >= CLASSES) return;
    float largest = m.output[0];
    int answer = 0;
    for (int k = 1; k < CLASSES; ++k)
        if (m.output[k] > largest) {
            largest = m.output[k];
            answer = k;
        }
    const bool digit = label != NO_CLASS;
    const float target = i == label ? 1.0f : 0.0f;
    float p = 0.0f, image_loss = digit ? -m.output[label] : 0.0f;
    if (loss != RIGHT_PENALTY) {
        largest = fmaxf(largest, -RUBBISH_PENALTY);  // taken out of all exponents, so that not all terms can be 0
        float total = expf(-RUBBISH_PENALTY - largest);
        for (int k = 0; k < CLASSES; ++k) total += expf(m.output[k] - largest);
        p = expf(m.output[i] - largest) / total;
        image_loss = logf(total) + (largest - (digit ? m.output[label] : -RUBBISH_PENALTY));
    }
    m.d_output[i] = (p - target) * one_over_batch;
    if (i == 0) {
        m.loss = image_loss;
        m.correct = answer == label ? 1.0f : 0.0f;
    }
}

// Back to F6 and through its squashing: dE/da[j] = f'(a[j]) * sum over i of d[i] * 2 (w[i, j] - x[j])
__device__ inline void backward_head(const float* /* nothing is trained here */, Memory& m) {
    const int unit = threadIdx.x;
    if (unit >= F6_UNITS) return;
    const float x = m.f6[unit];
    float sum = 0.0f;
#pragma unroll
    for (int digit = 0; digit < CLASSES; ++digit) sum += m.d_output[digit] * (code(digit, unit) - x);
    m.d_f6[unit] = 2.0f * sum * squash_slope(x);
}
