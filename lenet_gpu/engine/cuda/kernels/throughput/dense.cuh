// The densely connected layers of a few images, forward and backward: C5 and F6.
#include "throughput/form.cuh"

// C5 and F6: y[j] = f(bias[j] + sum over i of weight[j, i] * x[i])
//
// A warp takes every eighth unit j, a lane every 32nd quad of inputs: a weight that is read serves all images. As many
// units at a time as give 32 sums, which the lanes then exchange together: lane k ends with sum k.
template <int IMAGES, int INPUTS, int UNITS>
__device__ inline void forward_dense(const float* __restrict__ weight, const float* __restrict__ bias,
                                     const float (&x)[IMAGES][INPUTS], float (&y)[IMAGES][UNITS]) {
    constexpr int QUADS = INPUTS / 4, UNITS_A_WARP = (UNITS + WARPS - 1) / WARPS;
    constexpr int MOST = WARP / IMAGES, AT_A_TIME = UNITS_A_WARP < MOST ? UNITS_A_WARP : MOST;
    constexpr int PASSES = (UNITS_A_WARP + MOST - 1) / MOST;
    static_assert(INPUTS % 4 == 0 && WARP % IMAGES == 0, "rows are read four weights at a time");
    const int thread = thread_of_block(), warp = thread / WARP, lane = thread % WARP;
    const float4* rows = reinterpret_cast<const float4*>(weight);
#pragma unroll
    for (int pass = 0; pass < PASSES; ++pass) {
        const int first = warp + WARPS * MOST * pass, own = first + WARPS * (lane / IMAGES);
        const float own_bias = bias[own < UNITS ? own : UNITS - 1];  // read before it is needed
        float a[WARP] = {};                                          // [unit][image]
#pragma unroll 1
        for (int quad = lane; quad < QUADS; quad += WARP) {
            float4 w[AT_A_TIME];
#pragma unroll
            for (int k = 0; k < AT_A_TIME; ++k) {
                const int unit = first + WARPS * k;  // beyond the last one: read, but not used
                w[k] = rows[(unit < UNITS ? unit : UNITS - 1) * QUADS + quad];
            }
#pragma unroll
            for (int image = 0; image < IMAGES; ++image) {
                const float4 in = reinterpret_cast<const float4*>(x[image])[quad];
#pragma unroll
                for (int k = 0; k < AT_A_TIME; ++k)
                    a[k * IMAGES + image] += w[k].x * in.x + w[k].y * in.y + w[k].z * in.z + w[k].w * in.w;
            }
        }
        const float sum = warp_sums(a);
        if (own < UNITS && lane / IMAGES < AT_A_TIME) y[lane % IMAGES][own] = squash(own_bias + sum);
    }
}

// Backward through the weights of F6 or C5, of both images: sum over j of weight[j, i] * d[j], for every input i.
//
// A thread takes four neighbouring inputs and a slice of the units. `slice_sums` is [slice][image][INPUTS]; slices are
// added in the next phase, in order.
template <int INPUTS, int UNITS, int SLICES>
__device__ inline void backward_dense(
    const float* __restrict__ weight, const float (&d)[UNITS][IMAGES_A_GROUP], float* slice_sums) {
    constexpr int QUADS = INPUTS / 4, UNITS_A_SLICE = UNITS / SLICES;
    static_assert(UNITS % SLICES == 0 && QUADS * SLICES <= THREADS && IMAGES_A_GROUP == 2, "one turn of the block");
    const int thread = thread_of_block();
    if (thread >= QUADS * SLICES) return;
    const int quad = thread % QUADS, slice = thread / QUADS;
    const float4* rows = reinterpret_cast<const float4*>(weight) + slice * UNITS_A_SLICE * QUADS + quad;
    const float2* delta = reinterpret_cast<const float2*>(d[slice * UNITS_A_SLICE]);
    float4 sum[IMAGES_A_GROUP] = {};
    constexpr int UNDER_WAY = UNITS_A_SLICE % 20 == 0 ? 20 : 12;  // loads at once; more would not fit into the registers
#pragma unroll UNDER_WAY
    for (int k = 0; k < UNITS_A_SLICE; ++k) {
        const float4 w = rows[k * QUADS];
        const float2 two = delta[k];
        sum[0].x += w.x * two.x;
        sum[0].y += w.y * two.x;
        sum[0].z += w.z * two.x;
        sum[0].w += w.w * two.x;
        sum[1].x += w.x * two.y;
        sum[1].y += w.y * two.y;
        sum[1].z += w.z * two.y;
        sum[1].w += w.w * two.y;
    }
#pragma unroll
    for (int image = 0; image < IMAGES_A_GROUP; ++image)
        reinterpret_cast<float4*>(slice_sums)[(slice * IMAGES_A_GROUP + image) * QUADS + quad] = sum[image];
}

template <int INPUTS, int SLICES>
__device__ inline float sum_of_slices(const float* slice_sums, int image, int input) {
    float sum = slice_sums[image * INPUTS + input];
#pragma unroll
    for (int slice = 1; slice < SLICES; ++slice) sum += slice_sums[(slice * IMAGES_A_GROUP + image) * INPUTS + input];
    return sum;
}
