// What follows F6 in the network `modern`, see output_softmax.cuh.
//
// A head provides forward_head, loss_backward and backward_head; so does head_rbf.cuh, the paper's.
#include "output_softmax.cuh"
#include "portable/dense.cuh"

// The scores of the classes before softmax (logits): a[j] = bias[j] + sum over i of weight[j, i] * x[i]
__device__ inline void forward_head(const float* __restrict__ parameters, Memory& m) {
    forward_dense<F6_UNITS, CLASSES, false>(parameters + OUTPUT_WEIGHT, parameters + OUTPUT_BIAS, m.f6, m.output);
}

// A thread for each class, which goes through all outputs: cheaper than exchanging sums.
__device__ inline void loss_backward(int /* of one loss */, int label, float one_over_batch, Memory& m) {
    const int j = threadIdx.x;
    if (j >= CLASSES) return;
    float largest = m.output[0];
    int answer = 0;
#pragma unroll 10  // all rounds of ten classes; those of 64 at once would spill registers
    for (int k = 1; k < CLASSES; ++k)
        if (m.output[k] > largest) {
            largest = m.output[k];
            answer = k;
        }
    float total = 0.0f, target_output = 0.0f;  // sum over k of target[k] * (a[k] - largest)
#pragma unroll 10
    for (int k = 0; k < CLASSES; ++k) {
        total += expf(m.output[k] - largest);
        target_output += target(k, label) * (m.output[k] - largest);
    }
    const float p = expf(m.output[j] - largest) / total;
    m.d_output[j] = (p - target(j, label)) * one_over_batch;
    if (j == 0) {
        m.loss = logf(total) - target_output;
        m.correct = answer == label ? 1.0f : 0.0f;
    }
}

// Back to F6 and through its squashing: dE/da[i] = f'(a[i]) * sum over j of weight[j, i] * d[j]
__device__ inline void backward_head(const float* __restrict__ parameters, Memory& m) {
    // One class a slice, or as many as make the slices fit into `scratch`.
    constexpr int MOST_SLICES = SCRATCH / F6_UNITS, CLASSES_A_SLICE = (CLASSES + MOST_SLICES - 1) / MOST_SLICES;
    constexpr int OUTPUT_SLICES = (CLASSES + CLASSES_A_SLICE - 1) / CLASSES_A_SLICE;
    backward_dense<F6_UNITS, CLASSES, OUTPUT_SLICES>(parameters + OUTPUT_WEIGHT, m.d_output, m.scratch);
    __syncthreads();
    if (threadIdx.x < F6_UNITS)
        m.d_f6[threadIdx.x] =
            sum_of_slices<F6_UNITS, OUTPUT_SLICES>(m.scratch, threadIdx.x) * squash_slope(m.f6[threadIdx.x]);
}
