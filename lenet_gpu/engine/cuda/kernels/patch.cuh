// Convolution of the four neighbouring units that one subsampling unit adds up.
#include "lenet5.cuh"

// A 6x6 patch in registers serves the four neighbouring 5x5 windows that one subsampling unit adds up:
// 36 loads for 100 products.
__device__ inline void load_patch(const float* corner, int stride, float (&patch)[KERNEL + 1][KERNEL + 1]) {
#pragma unroll
    for (int u = 0; u <= KERNEL; ++u) load_row(corner + u * stride, patch[u]);
}

// a[2 i + j] += sum over u, v of weight[u, v] * patch[i + u, j + v]
__device__ inline void correlate(
    const float (&patch)[KERNEL + 1][KERNEL + 1], const float (&weight)[KERNEL_STRIDE], float (&a)[4]) {
#pragma unroll
    for (int u = 0; u < KERNEL; ++u)
#pragma unroll
        for (int v = 0; v < KERNEL; ++v) {
            const float w = weight[u * KERNEL + v];
            a[0] += w * patch[u][v];
            a[1] += w * patch[u][v + 1];
            a[2] += w * patch[u + 1][v];
            a[3] += w * patch[u + 1][v + 1];
        }
}

// Squash the four units of a convolution, store them, and return their sum for the subsampling unit above them.
__device__ inline float squash_four(float (&a)[4], float* corner, int stride) {
#pragma unroll
    for (int k = 0; k < 4; ++k) a[k] = squash(a[k]);
    *reinterpret_cast<float2*>(corner) = make_float2(a[0], a[1]);
    *reinterpret_cast<float2*>(corner + stride) = make_float2(a[2], a[3]);
    return a[0] + a[1] + a[2] + a[3];
}
