// What follows F6 in the network `modern`, see output_softmax.cuh.
//
// A head provides Head and BackHead, as does head_rbf.cuh, the paper's: what a thread reads of it before the barrier that F6
// waits for, and what is done with that.
#include "output_softmax.cuh"
#include "portable/scores.cuh"

// The scores of the classes before softmax (logits): a[j] = bias[j] + sum over i of weight[j, i] * x[i]
struct Head {
    Rows<F6_UNITS, CLASSES, (CLASSES + WARPS - 1) / WARPS> rows;

    __device__ void load(const float* __restrict__ parameters) {
        rows.load(parameters + OUTPUT_WEIGHT, parameters + OUTPUT_BIAS);
    }
    __device__ void forward(Memory& m) const { rows.forward<false>(m.f6, m.output); }
};

struct BackHead {
    float weight[CLASSES_A_SLICE];  // of a unit of F6

    __device__ void load(const float* __restrict__ parameters) {
#pragma unroll
        for (int k = 0; k < CLASSES_A_SLICE; ++k)
            weight[k] = parameters[OUTPUT_WEIGHT + class_of_head(k) * F6_UNITS + unit_of_head()];
    }

    // The loss, and back to F6.
    __device__ void backward(int /* of one loss */, int label, float one_over_batch, Memory& m) const {
        const int warp = threadIdx.x / WARP;
        if (warp > HEAD_WARPS) return;
        float a[SCORES_A_LANE], e[SCORES_A_LANE], d[SCORES_A_LANE];
#pragma unroll
        for (int k = 0; k < SCORES_A_LANE; ++k) a[k] = class_of(k) < CLASSES ? m.output[class_of(k)] : LOWEST;
        const float largest = largest_score(a);
#pragma unroll
        for (int k = 0; k < SCORES_A_LANE; ++k) e[k] = class_of(k) < CLASSES ? expf(a[k] - largest) : 0.0f;
        const float total = sum_of_scores(e);
#pragma unroll
        for (int k = 0; k < SCORES_A_LANE; ++k)
            d[k] = class_of(k) < CLASSES ? (e[k] / total - target(class_of(k), label)) * one_over_batch : 0.0f;
        if (warp < HEAD_WARPS) {
            back_to_f6(weight, d, m);
            return;
        }
        float target_output[SCORES_A_LANE];  // sum over j of target[j] * (a[j] - largest)
#pragma unroll
        for (int k = 0; k < SCORES_A_LANE; ++k) {
            target_output[k] = class_of(k) < CLASSES ? target(class_of(k), label) * (a[k] - largest) : 0.0f;
            if (class_of(k) < CLASSES) m.d_output[class_of(k)] = d[k];
        }
        const float loss = logf(total) - sum_of_scores(target_output);
        const int answer = class_with(largest, a);
        if (threadIdx.x % WARP == 0) {
            m.loss = loss;
            m.correct = answer == label ? 1.0f : 0.0f;
        }
    }
};
