// The densely connected layers of a few images, forward and backward: C5 and F6.
#include "throughput/form.cuh"

// Both directions are split: begin() reads the first weights, which no other layer's result is needed for, so it is called
// before the barrier that the rest, finish(), has to wait at. The second-level cache answers meanwhile.

// C5 and F6: y[j] = f(bias[j] + sum over i of weight[j, i] * x[i])
//
// A warp takes every eighth unit j, a lane every 32nd quad of inputs: a weight that is read serves all images. As many
// units at a time as give 32 sums, which the lanes then exchange together: lane k ends with sum k.
template <int IMAGES, int INPUTS, int UNITS>
struct ForwardDense {
    static constexpr int QUADS = INPUTS / 4, UNITS_A_WARP = (UNITS + WARPS - 1) / WARPS;
    static constexpr int MOST = WARP / IMAGES, AT_A_TIME = UNITS_A_WARP < MOST ? UNITS_A_WARP : MOST;
    static constexpr int PASSES = (UNITS_A_WARP + MOST - 1) / MOST;
    static_assert(INPUTS % 4 == 0 && WARP % IMAGES == 0, "rows are read four weights at a time");

    const float4* rows;  // [UNITS][QUADS]
    const float* bias;
    float own_bias;  // of the unit that the lane finishes
    float4 w[AT_A_TIME];

    static __device__ inline int first_unit(int pass) { return thread_of_block() / WARP + WARPS * MOST * pass; }

    // Beyond the last unit, or quad: read, but not used.
    __device__ inline void fetch(int first, int quad) {
#pragma unroll
        for (int k = 0; k < AT_A_TIME; ++k)
            w[k] = rows[at_most(first + WARPS * k, UNITS - 1) * QUADS + at_most(quad, QUADS - 1)];
    }

    __device__ inline void begin(int pass) {
        const int first = first_unit(pass), lane = thread_of_block() % WARP;
        own_bias = bias[at_most(first + WARPS * (lane / IMAGES), UNITS - 1)];
        fetch(first, lane);
    }

    __device__ inline void begin(const float* __restrict__ weight, const float* __restrict__ biases) {
        rows = reinterpret_cast<const float4*>(weight);
        bias = biases;
        begin(0);
    }

    __device__ inline void finish(const float (&x)[IMAGES][INPUTS], float (&y)[IMAGES][UNITS]) {
        const int lane = thread_of_block() % WARP;
#pragma unroll
        for (int pass = 0; pass < PASSES; ++pass) {
            if (pass > 0) begin(pass);
            const int first = first_unit(pass), own = first + WARPS * (lane / IMAGES);
            float a[WARP] = {};  // [unit][image]
#pragma unroll 1
            for (int quad = lane; quad < QUADS; quad += WARP) {
                if (QUADS > WARP && quad != lane) fetch(first, quad);
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
};

// Backward through the weights of F6 or C5, of both images: sum over j of weight[j, i] * d[j], for every input i.
//
// A thread takes four neighbouring inputs and a slice of the units. `slice_sums` is [slice][image][INPUTS]; slices are
// added in the next phase, in order.
template <int INPUTS, int UNITS, int SLICES>
struct BackwardDense {
    static constexpr int QUADS = INPUTS / 4, UNITS_A_SLICE = UNITS / SLICES;
    static_assert(UNITS % SLICES == 0 && QUADS * SLICES <= THREADS && IMAGES_A_GROUP == 2, "one turn of the block");
    static constexpr int UNDER_WAY = UNITS_A_SLICE % 20 == 0 ? 20 : 12;  // loads at once, as the registers allow
    static_assert(UNITS_A_SLICE % UNDER_WAY == 0, "whole turns");

    const float4* rows;  // [UNITS][QUADS], from the thread's quad of its slice on
    float4 w[UNDER_WAY];

    __device__ inline void fetch(int first) {
#pragma unroll
        for (int k = 0; k < UNDER_WAY; ++k) w[k] = rows[(first + k) * QUADS];
    }

    __device__ inline void begin(const float* __restrict__ weight) {
        const int thread = at_most(thread_of_block(), QUADS * SLICES - 1);
        rows = reinterpret_cast<const float4*>(weight) + thread / QUADS * UNITS_A_SLICE * QUADS + thread % QUADS;
        fetch(0);
    }

    __device__ inline void finish(const float (&d)[UNITS][IMAGES_A_GROUP], float* slice_sums) {
        const int thread = thread_of_block();
        if (thread >= QUADS * SLICES) return;
        const int quad = thread % QUADS, slice = thread / QUADS;
        const float2* delta = reinterpret_cast<const float2*>(d[slice * UNITS_A_SLICE]);
        float4 sum[IMAGES_A_GROUP] = {};
#pragma unroll 1
        for (int first = 0; first < UNITS_A_SLICE; first += UNDER_WAY) {
            if (first > 0) fetch(first);
#pragma unroll
            for (int k = 0; k < UNDER_WAY; ++k) {
                const float2 two = delta[first + k];
                add_product(sum[0], w[k], two.x);
                add_product(sum[1], w[k], two.y);
            }
        }
#pragma unroll
        for (int image = 0; image < IMAGES_A_GROUP; ++image)
            reinterpret_cast<float4*>(slice_sums)[(slice * IMAGES_A_GROUP + image) * QUADS + quad] = sum[image];
    }
};

template <int INPUTS, int SLICES>
__device__ inline float sum_of_slices(const float* slice_sums, int image, int input) {
    float sum = slice_sums[image * INPUTS + input];
#pragma unroll
    for (int slice = 1; slice < SLICES; ++slice) sum += slice_sums[(slice * IMAGES_A_GROUP + image) * INPUTS + input];
    return sum;
}
