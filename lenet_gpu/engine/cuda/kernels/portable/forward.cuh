// The forward pass of one image by one thread block: pixels to the scores of the classes, all in shared memory.
#include "patch.cuh"
#include "portable/dense.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

// A block copies the weights of C1 to S4 to shared memory once. Those of C5, F6 and output are read from the second-level
// cache: an image needs each of them once, so a copy would not pay.
__device__ inline void load_weights(const float* __restrict__ parameters, Memory& m) {
    for (int k = threadIdx.x; k < C1_MAPS * TAPS; k += THREADS)
        m.c1_weight[k / TAPS * KERNEL_STRIDE + k % TAPS] = parameters[C1_WEIGHT + k];
    for (int k = threadIdx.x; k < C3_PAIRS * TAPS; k += THREADS)
        m.c3_weight[k / TAPS * KERNEL_STRIDE + k % TAPS] = parameters[C3_WEIGHT + k];
    // The last three floats of each kernel are padding that is read (as part of a float4) but never used.
    for (int k = threadIdx.x; k < (C1_MAPS + C3_PAIRS) * 3; k += THREADS) {
        const int kernel = k / 3, tap = TAPS + k % 3;
        if (kernel < C1_MAPS) m.c1_weight[kernel * KERNEL_STRIDE + tap] = 0.0f;
        else m.c3_weight[(kernel - C1_MAPS) * KERNEL_STRIDE + tap] = 0.0f;
    }
    if (threadIdx.x < C1_MAPS) {
        m.c1_bias[threadIdx.x] = parameters[C1_BIAS + threadIdx.x];
        m.s2_coefficient[threadIdx.x] = parameters[S2_COEFFICIENT + threadIdx.x];
        m.s2_bias[threadIdx.x] = parameters[S2_BIAS + threadIdx.x];
    }
    if (threadIdx.x < C3_MAPS) {
        m.c3_bias[threadIdx.x] = parameters[C3_BIAS + threadIdx.x];
        m.s4_coefficient[threadIdx.x] = parameters[S4_COEFFICIENT + threadIdx.x];
        m.s4_bias[threadIdx.x] = parameters[S4_BIAS + threadIdx.x];
    }
}

// Input layer: x = background + pixel * (ink - background) / 255, with a margin of two background pixels.
__device__ inline void load_image(
    const unsigned char* __restrict__ pixels, float background, float scale, Memory& m) {
    for (int k = threadIdx.x; k < INPUT_SIZE * INPUT_SIZE; k += THREADS) {
        const int row = k / INPUT_SIZE, column = k % INPUT_SIZE;
        const int r = row - MARGIN, c = column - MARGIN;
        const bool inside = r >= 0 && r < IMAGE_SIZE && c >= 0 && c < IMAGE_SIZE;
        m.x[row * X_STRIDE + column] = inside ? background + scale * pixels[r * IMAGE_SIZE + c] : background;
    }
}

// C1: y[o, r, s] = f(bias[o] + sum over u, v of weight[o, u, v] * x[r + u, s + v])            6 maps of 28x28
// S2: y[o, r, s] = f(coefficient[o] * (sum of the 2x2 units of C1 below) + bias[o])           6 maps of 14x14
//
// A thread takes the same unit of three of the six S2 maps: the patch is loaded once for 300 products.
__device__ inline void forward_c1_s2(Memory& m) {
    constexpr int MAPS_A_THREAD = 3;
    for (int item = threadIdx.x; item < C1_MAPS / MAPS_A_THREAD * S2_AREA; item += THREADS) {
        const int first_map = item / S2_AREA * MAPS_A_THREAD;
        const int unit = item % S2_AREA, r = unit / S2_SIZE, c = unit % S2_SIZE;
        float patch[KERNEL + 1][KERNEL + 1];
        load_patch(m.x + 2 * r * X_STRIDE + 2 * c, X_STRIDE, patch);
        for (int map = first_map; map < first_map + MAPS_A_THREAD; ++map) {
            float weight[KERNEL_STRIDE];
            load_kernel(m.c1_weight + map * KERNEL_STRIDE, weight);
            const float bias = m.c1_bias[map];
            float a[4] = {bias, bias, bias, bias};
            correlate(patch, weight, a);
            const float sum = squash_four(a, m.c1 + map * C1_MAP + 2 * r * C1_STRIDE + 2 * c, C1_STRIDE);
            m.s2[map * S2_MAP + unit] = squash(m.s2_coefficient[map] * sum + m.s2_bias[map]);
        }
    }
}

// C3: y[o, r, s] = f(bias[o] + sum over the S2 maps i of Table I's row o, and u, v,
//                    of weight[pair(o, i), u, v] * S2[i, r + u, s + v])                       16 maps of 10x10
// S4: as S2                                                                                   16 maps of 5x5
//
// A thread takes one unit of S4: 300 to 600 products.
__device__ inline void forward_c3_s4(Memory& m) {
    for (int unit = threadIdx.x; unit < S4_UNITS; unit += THREADS) {
        const int map = unit / S4_AREA, r = unit % S4_AREA / S4_SIZE, c = unit % S4_SIZE;
        const float bias = m.c3_bias[map];
        float a[4] = {bias, bias, bias, bias};
        for (int pair = PAIRS.first[map]; pair < PAIRS.first[map + 1]; ++pair) {
            float patch[KERNEL + 1][KERNEL + 1], weight[KERNEL_STRIDE];
            load_patch(m.s2 + PAIRS.input[pair] * S2_MAP + 2 * r * S2_SIZE + 2 * c, S2_SIZE, patch);
            load_kernel(m.c3_weight + pair * KERNEL_STRIDE, weight);
            correlate(patch, weight, a);
        }
        const float sum = squash_four(a, m.c3 + map * C3_AREA + 2 * r * C3_SIZE + 2 * c, C3_SIZE);
        m.s4[unit] = squash(m.s4_coefficient[map] * sum + m.s4_bias[map]);
    }
}

// The whole forward pass. The image and the weights must be in shared memory (and a barrier passed since).
__device__ inline void forward(const float* __restrict__ parameters, Memory& m) {
    forward_c1_s2(m);
    __syncthreads();
    forward_c3_s4(m);
    __syncthreads();
    forward_dense<S4_UNITS, C5_UNITS, true>(parameters + C5_WEIGHT, parameters + C5_BIAS, m.s4, m.c5);
    __syncthreads();
    forward_dense<C5_UNITS, F6_UNITS, true>(parameters + F6_WEIGHT, parameters + F6_BIAS, m.c5, m.f6);
    __syncthreads();
    forward_head(parameters, m);
    __syncthreads();
}
