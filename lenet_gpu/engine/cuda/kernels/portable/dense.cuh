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

// 0, which is not known before all values are: what is read from a place that it was added to is asked for no earlier. The
// compiler would else ask for weights as early as it can, for which it has not the registers. (The number is denormal: no
// sum of a GPU is.)
template <int COUNT>
__device__ inline int zero_after(const float (&values)[COUNT]) {
    float sum = values[0];
#pragma unroll
    for (int k = 1; k < COUNT; ++k) sum += values[k];
    return __float_as_int(sum) == static_cast<int>(0x80000001u) ? 4 : 0;
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
//
// The 192 KB of weights take 3,000 cycles to arrive, and what is asked for all at once holds up every access to shared memory
// behind it. So they are asked for a few at a time, beside other phases. The last round stays in registers for the backward
// pass, which reads the others again.
struct C5Rows {
    static constexpr int QUADS = S4_UNITS / 4, ROUNDS = 3, REST = QUADS % WARP;
    static_assert(ROUNDS == QUADS / WARP && REST * C5_UNITS_A_WARP == WARP, "the rest is one round");
    // Sums of the backward pass: warps 8 to 14 add theirs to those of warps 0 to 6.
    static constexpr int SLICES = (C5_WARPS + 1) / 2;
    static_assert(SLICES * S4_UNITS <= SCRATCH, "room for the slices");

    float4 round[ROUNDS][C5_UNITS_A_WARP], rest;
    float bias;

    // Of the warp's first unit.
    __device__ static const float4* row(const float* parameters, int warp) {
        return reinterpret_cast<const float4*>(parameters + C5_WEIGHT) + at_most(warp, C5_WARPS - 1) * C5_UNITS_A_WARP * QUADS;
    }

    // Number FIRST ... END - 1 of the rounds' rows of 32 float4, eight rows a round.
    template <int FIRST, int END>
    __device__ void load(const float* __restrict__ parameters) {
        const int thread = thread_index();
        const float4* own = row(parameters, thread / WARP) + thread % WARP;
#pragma unroll
        for (int k = FIRST; k < END; ++k)
            round[k / C5_UNITS_A_WARP][k % C5_UNITS_A_WARP] = own[k % C5_UNITS_A_WARP * QUADS + k / C5_UNITS_A_WARP * WARP];
    }

    // What is asked for in each of three turns of C1 and of C3: two rounds.
    static constexpr int TURNS = 3, TWO_ROUNDS = 2 * C5_UNITS_A_WARP, LAST_ROUND = ROUNDS * C5_UNITS_A_WARP;
    __device__ void load_beside_c1(const float* __restrict__ parameters, int turn) {
        if (turn == 0) load<0, 1>(parameters);
        else if (turn == 1) load<1, 2>(parameters);
    }
    __device__ void load_beside_c3(const float* __restrict__ parameters, int turn) {
        if (turn == 0) load<2, 7>(parameters);
        else if (turn == 1) load<7, 12>(parameters);
        else if (turn == 2) load<12, TWO_ROUNDS>(parameters);
    }

    __device__ void load_rest(const float* __restrict__ parameters) {
        const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP, k = lane / REST;
        rest = row(parameters, warp)[k * QUADS + ROUNDS * WARP + lane % REST];
    }

    // Products of the lane: a[k] for unit k of the warp, and what it has of the rest of unit lane / 4. First those of two rounds.
    // The last one is asked for into the registers of the first.
    __device__ void multiply(const float* __restrict__ parameters, const float* x, float (&a)[C5_UNITS_A_WARP]) {
        const float4* in = reinterpret_cast<const float4*>(x);
        const int lane = thread_index() % WARP;
        const float4 first = in[lane], second = in[WARP + lane];
#pragma unroll
        for (int u = 0; u < C5_UNITS_A_WARP; ++u) a[u] = dot(round[0][u], first);
        const float* behind = parameters + zero_after(a);
        load<TWO_ROUNDS, LAST_ROUND>(behind);
        load_rest(behind);
        bias = parameters[C5_BIAS + at_most(thread_index() / WARP, C5_WARPS - 1) * C5_UNITS_A_WARP + lane / REST];
#pragma unroll
        for (int u = 0; u < C5_UNITS_A_WARP; ++u) a[u] += dot(round[1][u], second);
    }
    __device__ void multiply_last(const float* x, float (&a)[C5_UNITS_A_WARP], float& last) const {
        const int lane = thread_index() % WARP;
        const float4* in = reinterpret_cast<const float4*>(x) + (ROUNDS - 1) * WARP;
        const float4 quad = in[lane];
        last = dot(rest, in[WARP + lane % REST]);
#pragma unroll
        for (int u = 0; u < C5_UNITS_A_WARP; ++u) a[u] += dot(round[ROUNDS - 1][u], quad);
    }

    // y[j] = f(bias[j] + sum over i of weight[j, i] * x[i]): four neighbouring lanes end with the unit of their rest.
    __device__ void finish(float (&a)[C5_UNITS_A_WARP], float last, float* y) const {
        const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP;
        if (warp >= C5_WARPS) return;
        const float sum = bias + (warp_sums(a) + quad_sum(last));
        if (lane % REST == 0) y[warp * C5_UNITS_A_WARP + lane / REST] = squash(sum);
    }

    // What the warp's units add to sum over j of weight[j, i] * d[j]: four inputs of each round, and four of the rest in the
    // lanes of its first unit.
    struct Sums {
        float4 round[ROUNDS], rest;

        // Lanes of the rest: those of the first unit have the sums.
        __device__ void store(float* partial, int slice, bool add) const {
            float4* own = reinterpret_cast<float4*>(partial) + slice * QUADS;
            const int lane = thread_index() % WARP;
#pragma unroll
            for (int k = 0; k < ROUNDS; ++k) put(own[k * WARP + lane], round[k], add);
            if (lane < REST) put(own[ROUNDS * WARP + lane], rest, add);
        }
        __device__ static void put(float4& place, float4 value, bool add) {
            if (add) add_product(value, place, 1.0f);
            place = value;
        }
    };

    __device__ Sums backward(const float* d) const {
        const int thread = thread_index(), lane = thread % WARP;
        const float* own_d = d + at_most(thread / WARP, C5_WARPS - 1) * C5_UNITS_A_WARP;
        Sums sums{};
        float4 own_rest = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        add_product(own_rest, rest, own_d[lane / REST]);
#pragma unroll
        for (int k = ROUNDS - 1; k >= 0; --k)
#pragma unroll
            for (int u = 0; u < C5_UNITS_A_WARP; ++u) add_product(sums.round[k], round[k][u], own_d[u]);
#pragma unroll
        for (int distance = REST; distance < WARP; distance *= 2) {
            own_rest.x += __shfl_xor_sync(0xffffffffu, own_rest.x, distance);
            own_rest.y += __shfl_xor_sync(0xffffffffu, own_rest.y, distance);
            own_rest.z += __shfl_xor_sync(0xffffffffu, own_rest.z, distance);
            own_rest.w += __shfl_xor_sync(0xffffffffu, own_rest.w, distance);
        }
        sums.rest = own_rest;
        return sums;
    }
};

template <int INPUTS, int SLICES>
__device__ inline float sum_of_slices(const float* slice_sums, int input) {
    float sum = slice_sums[input];
#pragma unroll
    for (int slice = 1; slice < SLICES; ++slice) sum += slice_sums[slice * INPUTS + input];
    return sum;
}
