// What follows F6 in the network `modern`, see output_softmax.cuh.
//
// A head provides load_head, forward_head, loss_backward and backward_head; so does head_rbf.cuh, the paper's.
#include "output_softmax.cuh"
#include "throughput/scores.cuh"

__device__ inline void load_head(const float* __restrict__ parameters, Weights& m) {
    const int thread = thread_of_block();
    if constexpr (OUTPUT_IN_SHARED)
        for (int k = thread; k < CLASSES * F6_UNITS; k += THREADS) m.output_weight[k] = parameters[OUTPUT_WEIGHT + k];
    if (thread < CLASSES) m.output_bias[thread] = parameters[OUTPUT_BIAS + thread];
}

// [CLASSES][F6_UNITS]
__device__ inline const float* output_weights(const float* __restrict__ parameters, const Weights& m) {
    return OUTPUT_IN_SHARED ? m.output_weight : parameters + OUTPUT_WEIGHT;
}

// The scores of the classes before softmax (logits): a[j] = bias[j] + sum over i of weight[j, i] * x[i]
struct Product {
    static __device__ inline float term(float weight, float x) { return weight * x; }
    static __device__ inline float score(float sum, int j, const Weights& m) { return m.output_bias[j] + sum; }
};

template <class M>
__device__ inline void forward_head(const float* __restrict__ parameters, M& m) {
    forward_scores<Product>(output_weights(parameters, m), m);
}

// A warp takes an image, a lane every 32nd class.
__device__ inline void loss_backward(int /* of one loss */, int label, float share, int image, Memory& m) {
    const int lane = threadIdx.x % WARP;
    const float* score = m.output[image];
    const Largest largest = largest_score(score);
    float e[CLASSES_A_LANE], total = 0.0f, target_output = 0.0f;  // sum over k of target[k] * (a[k] - largest)
#pragma unroll
    for (int k = 0; k < CLASSES_A_LANE; ++k) {
        const int j = lane + k * WARP;
        if (j >= CLASSES) continue;
        const float a = score[j] - largest.score;
        e[k] = expf(a);
        total += e[k];
        target_output += target(j, label) * a;
    }
    total = warp_sum(total);
    target_output = warp_sum(target_output);
#pragma unroll
    for (int k = 0; k < CLASSES_A_LANE; ++k) {
        const int j = lane + k * WARP;
        if (j < CLASSES) m.d_output[image][j] = (e[k] / total - target(j, label)) * share;
    }
    if (lane == 0) {
        m.loss[image] = logf(total) - target_output;
        m.correct[image] = largest.answer == label ? 1.0f : 0.0f;
    }
}

// Back to F6 and through its squashing: dE/da[i] = f'(a[i]) * sum over j of weight[j, i] * d[j]
//
// A thread takes a unit of one image.
__device__ inline void backward_head(const float* __restrict__ parameters, Memory& m) {
    const int thread = thread_of_block(), image = thread % IMAGES_A_GROUP, unit = thread / IMAGES_A_GROUP;
    if (unit >= F6_UNITS) return;
    const float* weight = output_weights(parameters, m) + unit;
    float sum = 0.0f;
#pragma unroll 10
    for (int j = 0; j < CLASSES; ++j) sum += weight[j * F6_UNITS] * m.d_output[image][j];
    m.d_f6[unit][image] = sum * squash_slope(m.f6[image][unit]);
}
