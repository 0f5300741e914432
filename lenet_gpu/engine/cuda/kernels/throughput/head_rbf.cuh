// What follows F6 in the network `paper`, see output_rbf.cuh.
#include "output_rbf.cuh"
#include "throughput/scores.cuh"

static_assert(OUTPUT_IN_SHARED && CLASSES <= WARP, "the codes in shared memory, a lane for each digit");

// Nothing is trained here: the codes take the place of weights.
__device__ inline void load_head(const float* /* not a parameter */, Weights& m) {
    for (int k = thread_of_block(); k < CLASSES * F6_UNITS; k += THREADS)
        m.output_weight[k] = code(k / F6_UNITS, k % F6_UNITS);
}

struct Penalty {
    static __device__ inline float term(float weight, float x) { return (x - weight) * (x - weight); }
    static __device__ inline float score(float sum, int, const Weights&) { return -sum; }
};

template <class M>
__device__ inline void forward_head(const float* /* not a parameter */, M& m) {
    forward_scores<Penalty>(m.output_weight, m);
}

// With N the images of the batch, j the penalty of the rubbish class, which stands for everything that is no digit:
//
//   E = mean of y[label]                                               d[i] = -target[i] / N             (equation 8)
//   E = mean of y[label] + log(e^-j + sum over k of e^-y[k])           d[i] = (p[i] - target[i]) / N     (equation 9)
//   p[i] = e^-y[i] / (e^-j + sum over k of e^-y[k])
//
// Here d is dE/ds, and target is 1 for the label, 0 for all others. An image that is not a digit has the penalty j
// in loss (9), and counts for nothing in loss (8). A warp takes an image, a lane a digit.
__device__ inline void loss_backward(int loss, int label, float share, int image, Memory& m) {
    const int i = threadIdx.x % WARP;
    const float* score = m.output[image];
    const Largest answer = largest_score(score);
    const bool digit = label >= 0 && label < CLASSES;
    const float target = i == label ? 1.0f : 0.0f, right = digit ? score[label] : 0.0f;
    float p = 0.0f, image_loss = -right;
    if (loss != RIGHT_PENALTY) {
        // Taken out of all exponents, so that not all terms can be 0.
        const float largest = fmaxf(answer.score, -RUBBISH_PENALTY);
        const float e = i < CLASSES ? expf(score[i] - largest) : 0.0f;
        const float total = expf(-RUBBISH_PENALTY - largest) + warp_sum(e);
        p = e / total;
        image_loss = logf(total) + (largest - (digit ? right : -RUBBISH_PENALTY));
    }
    if (i < CLASSES) m.d_output[image][i] = (p - target) * share;
    if (i == 0) {
        m.loss[image] = image_loss;
        m.correct[image] = answer.answer == label ? 1.0f : 0.0f;
    }
}

// Back to F6 and through its squashing: dE/da[j] = f'(a[j]) * sum over i of d[i] * 2 (w[i, j] - x[j])
__device__ inline void backward_head(const float* /* not a parameter */, Memory& m) {
    const int thread = thread_of_block(), image = thread % IMAGES_A_GROUP, unit = thread / IMAGES_A_GROUP;
    if (unit >= F6_UNITS) return;
    const float x = m.f6[image][unit];
    float sum = 0.0f;
#pragma unroll
    for (int digit = 0; digit < CLASSES; ++digit)
        sum += m.d_output[image][digit] * (m.output_weight[digit * F6_UNITS + unit] - x);
    m.d_f6[unit][image] = 2.0f * sum * squash_slope(x);
}
