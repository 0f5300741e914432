// The densely connected layers, forward and backward: C5, F6, and the output where it has weights.
#include "portable/form.cuh"

// C5, F6 and output, before squashing: a[j] = bias[j] + sum over i of weight[j, i] * x[i]
//
// A warp takes every sixteenth unit j. Its lanes read neighbouring weights, 512 bytes a request, and a request for
// each of the warp's units is under way at the same time: what limits this is the latency of the second-level cache.
template <int INPUTS, int UNITS, bool SQUASHED>
__device__ inline void forward_dense(
    const float* __restrict__ weight, const float* __restrict__ bias, const float* x, float* y) {
    constexpr int QUADS = INPUTS / 4, UNITS_A_WARP = (UNITS + WARPS - 1) / WARPS;
    static_assert(INPUTS % 4 == 0, "rows are read four weights at a time");
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const float4* rows = reinterpret_cast<const float4*>(weight);
    float a[UNITS_A_WARP] = {};
    for (int quad = lane; quad < QUADS; quad += WARP) {
        const float4 in = reinterpret_cast<const float4*>(x)[quad];
#pragma unroll
        for (int k = 0; k < UNITS_A_WARP; ++k) {
            const int unit = warp + k * WARPS;
            if (unit < UNITS) {
                const float4 w = rows[unit * QUADS + quad];
                a[k] += w.x * in.x + w.y * in.y + w.z * in.z + w.w * in.w;
            }
        }
    }
#pragma unroll
    for (int k = 0; k < UNITS_A_WARP; ++k) {
        const int unit = warp + k * WARPS;  // the same in all lanes: the whole warp takes part in the sum, or none of it
        if (unit < UNITS) {
            const float sum = warp_sum(a[k]);
            if (lane == 0) y[unit] = SQUASHED ? squash(bias[unit] + sum) : bias[unit] + sum;
        }
    }
}

// Backward through the weights of output, F6 or C5: sum over j of weight[j, i] * d[j], for every input i.
//
// A thread takes four neighbouring inputs and a slice of the units; the slices lie one after the other in `slice_sums`
// and are added by `sum_of_slices`, always in the same order.
template <int INPUTS, int UNITS, int SLICES>
__device__ inline void backward_dense(const float* __restrict__ weight, const float* d, float* slice_sums) {
    constexpr int QUADS = INPUTS / 4, UNITS_A_SLICE = (UNITS + SLICES - 1) / SLICES;
    static_assert(INPUTS % 4 == 0, "rows are read four weights at a time");
    static_assert(QUADS * SLICES <= THREADS && INPUTS * SLICES <= SCRATCH, "one turn of the block, one scratch");
    if (threadIdx.x >= QUADS * SLICES) return;
    const int quad = threadIdx.x % QUADS, slice = threadIdx.x / QUADS;
    const float4* rows = reinterpret_cast<const float4*>(weight);
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 12  // so many loads are under way at once; more would not fit into the registers
    for (int k = 0; k < UNITS_A_SLICE; ++k) {
        const int unit = slice * UNITS_A_SLICE + k;
        if (UNITS % SLICES != 0 && unit >= UNITS) break;  // the last slice may be shorter
        const float4 w = rows[unit * QUADS + quad];
        const float delta = d[unit];
        sum.x += w.x * delta;
        sum.y += w.y * delta;
        sum.z += w.z * delta;
        sum.w += w.w * delta;
    }
    reinterpret_cast<float4*>(slice_sums)[slice * QUADS + quad] = sum;
}

template <int INPUTS, int SLICES>
__device__ inline float sum_of_slices(const float* slice_sums, int input) {
    float sum = slice_sums[input];
#pragma unroll
    for (int slice = 1; slice < SLICES; ++slice) sum += slice_sums[slice * INPUTS + input];
    return sum;
}
