// The densely connected layers, forward and backward: C5, F6, and the output where it has weights.
//
// Their weights come from the second-level cache, some 300 cycles away. What a warp reads first of a layer, it asks for
// before the barrier that the layer's inputs wait for; nothing is asked for under a condition, since a lane that has no
// work reads what its neighbour reads.
#include "portable/form.cuh"

constexpr int C5_UNITS_A_WARP = 8, F6_UNITS_A_WARP = 6;
constexpr int C5_WARPS = C5_UNITS / C5_UNITS_A_WARP, F6_WARPS = F6_UNITS / F6_UNITS_A_WARP;
static_assert(C5_WARPS * C5_UNITS_A_WARP == C5_UNITS && C5_WARPS <= WARPS, "whole warps");
static_assert(F6_WARPS * F6_UNITS_A_WARP == F6_UNITS && F6_WARPS <= WARPS, "whole warps");

// The smallest power of two that is not below `count`.
__device__ constexpr int power_of_two(int count) {
    int power = 1;
    while (power < count) power *= 2;
    return power;
}

__device__ inline float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

// Rows of weights that are no longer than a warp takes at once: F6's and the output's. A warp takes some neighbouring
// units, a lane four weights of each.
template <int INPUTS, int UNITS, int UNITS_A_WARP>
struct Rows {
    static constexpr int QUADS = INPUTS / 4, SUMS = power_of_two(UNITS_A_WARP), LANES_A_SUM = WARP / SUMS;
    static_assert(INPUTS % 4 == 0 && QUADS <= WARP, "a row is read four weights at a time, by one warp");

    float4 weight[UNITS_A_WARP];
    float bias;  // of the unit whose sum the lane ends with

    __device__ void load(const float* __restrict__ weights, const float* __restrict__ biases) {
        const int thread = thread_index(), lane = thread % WARP, first = thread / WARP * UNITS_A_WARP;
        const int quad = lane < QUADS ? lane : QUADS - 1;
#pragma unroll
        for (int k = 0; k < UNITS_A_WARP; ++k)
            weight[k] = reinterpret_cast<const float4*>(weights)[at_most(first + k, UNITS - 1) * QUADS + quad];
        bias = biases[at_most(first + lane / LANES_A_SUM, UNITS - 1)];
    }

    // y[j] = f(bias[j] + sum over i of weight[j, i] * x[i]), or without f
    template <bool SQUASHED>
    __device__ void forward(const float* x, float* y) const {
        const int thread = thread_index(), lane = thread % WARP, first = thread / WARP * UNITS_A_WARP;
        if (first >= UNITS) return;  // whole warps
        const float4 in = lane < QUADS ? reinterpret_cast<const float4*>(x)[lane] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        float a[SUMS] = {};
#pragma unroll
        for (int k = 0; k < UNITS_A_WARP; ++k) a[k] = dot(weight[k], in);
        const float sum = bias + warp_sums(a);
        const int k = lane / LANES_A_SUM;
        if (lane % LANES_A_SUM == 0 && k < UNITS_A_WARP && first + k < UNITS) y[first + k] = SQUASHED ? squash(sum) : sum;
    }

    // The part of the warp's units in sum over j of weight[j, i] * d[j], for every input i: to partial[warp, i].
    __device__ void backward(const float* d, float* partial) const {
        const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP, first = warp * UNITS_A_WARP;
        if (first >= UNITS || lane >= QUADS) return;
        float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
        for (int k = 0; k < UNITS_A_WARP; ++k) add_product(sum, weight[k], d[first + k]);
        reinterpret_cast<float4*>(partial)[warp * QUADS + lane] = sum;
    }
};

using F6Rows = Rows<C5_UNITS, F6_UNITS, F6_UNITS_A_WARP>;

// C5. A warp takes eight units: a row of weights is read in three rounds of 32 float4, and the four that are left over
// of each of the eight rows by all lanes at once, four lanes a row.
struct C5Rows {
    static constexpr int QUADS = S4_UNITS / 4, ROUNDS = QUADS / WARP, REST = QUADS % WARP;
    static_assert(REST * C5_UNITS_A_WARP == WARP, "the rest is one round");

    float4 first_round[C5_UNITS_A_WARP], rest;
    float bias;

    // Of the warp's first unit.
    __device__ static const float4* row(const float* weights, int warp) {
        return reinterpret_cast<const float4*>(weights) + at_most(warp, C5_WARPS - 1) * C5_UNITS_A_WARP * QUADS;
    }

    __device__ void load(const float* __restrict__ weights, const float* __restrict__ biases) {
        const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP, k = lane / REST;
        const float4* first = row(weights, warp);
#pragma unroll
        for (int u = 0; u < C5_UNITS_A_WARP; ++u) first_round[u] = first[u * QUADS + lane];
        rest = first[k * QUADS + ROUNDS * WARP + lane % REST];
        bias = biases[at_most(warp, C5_WARPS - 1) * C5_UNITS_A_WARP + k];
    }

    // Products of the lane: a[k] for unit k of the warp, and what it has of the rest of unit lane / 4.
    __device__ void multiply(const float* __restrict__ weights, const float* x, float (&a)[C5_UNITS_A_WARP], float& last) const {
        const float4* in = reinterpret_cast<const float4*>(x);
        const int thread = thread_index(), lane = thread % WARP;
        const float4* first = row(weights, thread / WARP);
        float4 now[C5_UNITS_A_WARP];
#pragma unroll
        for (int u = 0; u < C5_UNITS_A_WARP; ++u) {
            now[u] = first_round[u];
            a[u] = 0.0f;
        }
#pragma unroll 1  // the loads of one round at a time: more would not fit into the registers
        for (int round = 1; round < ROUNDS; ++round) {
            float4 next[C5_UNITS_A_WARP];
#pragma unroll
            for (int u = 0; u < C5_UNITS_A_WARP; ++u) next[u] = first[u * QUADS + round * WARP + lane];
            const float4 quad = in[(round - 1) * WARP + lane];
#pragma unroll
            for (int u = 0; u < C5_UNITS_A_WARP; ++u) {
                a[u] += dot(now[u], quad);
                now[u] = next[u];
            }
        }
        const float4 quad = in[(ROUNDS - 1) * WARP + lane];
        last = dot(rest, in[ROUNDS * WARP + lane % REST]);
#pragma unroll
        for (int u = 0; u < C5_UNITS_A_WARP; ++u) a[u] += dot(now[u], quad);
    }

    // y[j] = f(bias[j] + sum over i of weight[j, i] * x[i]): four neighbouring lanes end with the unit of their rest.
    __device__ void finish(float (&a)[C5_UNITS_A_WARP], float last, float* y) const {
        const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP;
        if (warp >= C5_WARPS) return;
        const float sum = bias + (warp_sums(a) + quad_sum(last));
        if (lane % REST == 0) y[warp * C5_UNITS_A_WARP + lane / REST] = squash(sum);
    }
};

// Back through C5: sum over j of weight[j, i] * d[j], for every input i.
//
// A thread takes four neighbouring inputs and one of five slices of the units, which lie one after the other in
// `partial`. Eight of its 24 rows of weights it asks for well before d is known.
struct C5Columns {
    static constexpr int QUADS = S4_UNITS / 4, SLICES = 5, UNITS = C5_UNITS / SLICES, EARLY = 8;
    static_assert(QUADS * SLICES <= THREADS && S4_UNITS * SLICES <= SCRATCH, "one turn of the block, one scratch");

    float4 early[EARLY];

    __device__ static const float4* column(const float* weights, int item) {
        return reinterpret_cast<const float4*>(weights) + item / QUADS * UNITS * QUADS + item % QUADS;
    }

    __device__ void load(const float* __restrict__ weights) {
        const float4* own = column(weights, at_most(thread_index(), QUADS * SLICES - 1));
#pragma unroll
        for (int k = 0; k < EARLY; ++k) early[k] = own[k * QUADS];
    }

    __device__ void backward(const float* __restrict__ weights, const float* d, float* partial) const {
        const int thread = thread_index(), item = at_most(thread, QUADS * SLICES - 1);
        const float4* own = column(weights, item);
        const float* own_d = d + item / QUADS * UNITS;
        float4 late[UNITS - EARLY], sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
        for (int k = EARLY; k < UNITS; ++k) late[k - EARLY] = own[k * QUADS];
#pragma unroll
        for (int k = 0; k < EARLY; ++k) add_product(sum, early[k], own_d[k]);
#pragma unroll
        for (int k = EARLY; k < UNITS; ++k) add_product(sum, late[k - EARLY], own_d[k]);
        if (thread < QUADS * SLICES) reinterpret_cast<float4*>(partial)[thread] = sum;
    }
};

template <int INPUTS, int SLICES>
__device__ inline float sum_of_slices(const float* slice_sums, int input) {
    float sum = slice_sums[input];
#pragma unroll
    for (int slice = 1; slice < SLICES; ++slice) sum += slice_sums[slice * INPUTS + input];
    return sum;
}
