// The backward pass of one image by one thread block: from the label to what the update kernel adds up.
//
// E is the loss of the batch, d stands for dE/da, the derivative by a unit's weighted sum a (before squashing).
#include "portable/dense.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

// S4, and C3's squashing. With z = sum of the 2x2 units of C3, a = coefficient * z + bias:
//   d = f'(a) * (what C5 sends back)      dE/dcoefficient = sum of d * z      dE/dbias = sum of d
//   C3: d = f'(a) * coefficient * d[S4]   dE/dbias = sum of d
//
// A warp takes a map, a lane one of its 25 units. C3's d overwrites C3's y.
template <int SLICES>
__device__ inline void backward_s4(float* __restrict__ group, Memory& m) {
    const int lane = threadIdx.x % WARP;
    for (int map = threadIdx.x / WARP; map < S4_MAPS; map += WARPS) {
        float g_coefficient = 0.0f, g_bias = 0.0f, g_c3_bias = 0.0f;
        if (lane < S4_AREA) {
            const int unit = map * S4_AREA + lane;
            float2* top = reinterpret_cast<float2*>(
                m.c3 + map * C3_AREA + 2 * (lane / S4_SIZE) * C3_SIZE + 2 * (lane % S4_SIZE));
            float2* bottom = top + C3_SIZE / 2;
            const float2 y0 = *top, y1 = *bottom;
            const float d = sum_of_slices<S4_UNITS, SLICES>(m.scratch, unit) * squash_slope(m.s4[unit]);
            g_coefficient = d * (y0.x + y0.y + y1.x + y1.y);
            g_bias = d;
            const float back = d * m.s4_coefficient[map];
            const float2 d0 = make_float2(back * squash_slope(y0.x), back * squash_slope(y0.y));
            const float2 d1 = make_float2(back * squash_slope(y1.x), back * squash_slope(y1.y));
            *top = d0;
            *bottom = d1;
            g_c3_bias = d0.x + d0.y + d1.x + d1.y;
        }
        g_coefficient = warp_sum(g_coefficient);
        g_bias = warp_sum(g_bias);
        g_c3_bias = warp_sum(g_c3_bias);
        if (lane == 0) {
            group[S4_COEFFICIENT + map] = g_coefficient;
            group[S4_BIAS + map] = g_bias;
            group[C3_BIAS + map] = g_c3_bias;
        }
    }
}

// The following two phases share the threads: the first eight warps begin with C3's weights, the other eight with C3's
// inputs, without a barrier in between.
constexpr int QUAD = 4;  // four neighbouring lanes work on one sum
constexpr int C3_WEIGHT_THREADS = 256;
static_assert(C3_PAIRS * QUAD <= C3_WEIGHT_THREADS && C3_WEIGHT_THREADS % WARP == 0, "whole warps");

__device__ inline float quad_sum(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

// C3's weights: dE/dweight[pair(o, i), u, v] = sum over r, s of d[o, r, s] * S2[i, r + u, s + v]
//
// Four lanes take a pair, each all 25 sums over every fourth row: a row of d (10) and five rows of S2 (14 each) in
// registers serve 250 products.
__device__ inline void backward_c3_weights(float* __restrict__ group, const Memory& m) {
    if (threadIdx.x >= C3_WEIGHT_THREADS) return;
    const int pair = threadIdx.x / QUAD, lane_of_quad = threadIdx.x % QUAD;
    const bool active = pair < C3_PAIRS;  // the last lanes have no pair, but take part in their warp's exchanges
    float g[TAPS] = {};
    if (active) {
        const float* d_map = m.c3 + PAIRS.output[pair] * C3_AREA;
        const float* s2_map = m.s2 + PAIRS.input[pair] * S2_MAP;
        for (int r = lane_of_quad; r < C3_SIZE; r += QUAD) {
            float d[C3_SIZE];
            load_row(d_map + r * C3_SIZE, d);
#pragma unroll
            for (int u = 0; u < KERNEL; ++u) {
                float y[S2_SIZE];
                load_row(s2_map + (r + u) * S2_SIZE, y);
#pragma unroll
                for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                    for (int s = 0; s < C3_SIZE; ++s) g[u * KERNEL + v] += d[s] * y[s + v];
            }
        }
    }
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) {
        const float sum = quad_sum(g[tap]);
        if (active && lane_of_quad == tap % QUAD) group[C3_WEIGHT + pair * TAPS + tap] = sum;
    }
}

// C3's inputs, and S2's squashing:
//   d[S2][i, r, c] = f'(a) * sum over the pairs (o, i), and u, v, of weight[pair, u, v] * d[C3][o, r - u, c - v]
//
// Four lanes take a row of an S2 map, each the sums over every fourth of the ten pairs that read the map. A row of
// C3's d (10) times a row of the kernel (5) falls on 14 sums: 50 products for 15 loads, and none with the zeros around
// the map. The result goes to `scratch`, 196 a map.
__device__ inline void backward_c3_inputs(Memory& m) {
    constexpr int ITEMS = S2_MAPS * S2_SIZE * QUAD, ROUNDED = (ITEMS + WARP - 1) / WARP * WARP;
    const int item = (threadIdx.x + THREADS - C3_WEIGHT_THREADS) % THREADS;
    if (item >= ROUNDED) return;  // whole warps
    const bool active = item < ITEMS;
    const int lane_of_quad = item % QUAD, map = item / QUAD / S2_SIZE, row = item / QUAD % S2_SIZE;
    float sum[S2_SIZE] = {};
    if (active) {
        for (int k = lane_of_quad; k < FEEDS; k += QUAD) {
            const int pair = PAIRS.feeds[map][k];
            const float* d_map = m.c3 + PAIRS.output[pair] * C3_AREA;
            const float* kernel = m.c3_weight + pair * KERNEL_STRIDE;
            for (int u = 0; u < KERNEL; ++u) {
                const int r = row - u;
                if (r < 0 || r >= C3_SIZE) continue;
                float d[C3_SIZE];
                load_row(d_map + r * C3_SIZE, d);
#pragma unroll
                for (int v = 0; v < KERNEL; ++v) {
                    const float w = kernel[u * KERNEL + v];
#pragma unroll
                    for (int s = 0; s < C3_SIZE; ++s) sum[s + v] += w * d[s];
                }
            }
        }
    }
#pragma unroll
    for (int c = 0; c < S2_SIZE; ++c) {
        const float total = quad_sum(sum[c]);
        if (active && lane_of_quad == c % QUAD) {
            const int unit = row * S2_SIZE + c;
            m.scratch[map * S2_AREA + unit] = total * squash_slope(m.s2[map * S2_MAP + unit]);
        }
    }
}

// The last two phases give two warps to each of the six maps; their halves are added afterwards.
constexpr int HALVES = 2, MAP_WARPS = C1_MAPS * HALVES;
constexpr int S2_HALVES = S2_MAPS * S2_AREA;          // in scratch, after d of S2: [12 warps][4]
constexpr int C1_HALVES = S2_HALVES + MAP_WARPS * 4;  // [12 warps][32]
static_assert(MAP_WARPS <= WARPS && C1_HALVES + MAP_WARPS * WARP <= SCRATCH, "room for the partial sums");

// S2, and C1's squashing: as S4. C1's d overwrites C1's y.
__device__ inline void backward_s2(Memory& m) {
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (warp >= MAP_WARPS) return;
    const int map = warp / HALVES, half = warp % HALVES;
    const float coefficient = m.s2_coefficient[map];
    float g_coefficient = 0.0f, g_bias = 0.0f, g_c1_bias = 0.0f;
    for (int k = lane; k < S2_AREA / HALVES; k += WARP) {
        const int unit = half * (S2_AREA / HALVES) + k;
        float2* top = reinterpret_cast<float2*>(
            m.c1 + map * C1_MAP + 2 * (unit / S2_SIZE) * C1_STRIDE + 2 * (unit % S2_SIZE));
        float2* bottom = top + C1_STRIDE / 2;
        const float2 y0 = *top, y1 = *bottom;
        const float d = m.scratch[map * S2_AREA + unit];
        g_coefficient += d * (y0.x + y0.y + y1.x + y1.y);
        g_bias += d;
        const float back = d * coefficient;
        const float2 d0 = make_float2(back * squash_slope(y0.x), back * squash_slope(y0.y));
        const float2 d1 = make_float2(back * squash_slope(y1.x), back * squash_slope(y1.y));
        *top = d0;
        *bottom = d1;
        g_c1_bias += d0.x + d0.y + d1.x + d1.y;
    }
    g_coefficient = warp_sum(g_coefficient);
    g_bias = warp_sum(g_bias);
    g_c1_bias = warp_sum(g_c1_bias);
    if (lane == 0) {
        m.scratch[S2_HALVES + warp * 4] = g_coefficient;
        m.scratch[S2_HALVES + warp * 4 + 1] = g_bias;
        m.scratch[S2_HALVES + warp * 4 + 2] = g_c1_bias;
    }
}

// C1's weights: dE/dweight[o, u, v] = sum over r, s of d[o, r, s] * x[r + u, s + v]
//
// A lane takes a row r of the map, a warp one half of its columns: 14 values of d and five rows of 18 inputs in
// registers serve 350 products. Then the 28 rows are added, lane k of the warp ending with the sum of weight k.
__device__ inline void backward_c1_weights(Memory& m) {
    constexpr int COLUMNS = C1_SIZE / HALVES;
    const int warp = threadIdx.x / WARP, r = threadIdx.x % WARP;
    if (warp >= MAP_WARPS) return;
    const int map = warp / HALVES, first = warp % HALVES * COLUMNS;
    float g[WARP] = {};  // 25 weights, padded
    if (r < C1_SIZE) {
        float d[COLUMNS];
        load_row(m.c1 + map * C1_MAP + r * C1_STRIDE + first, d);
#pragma unroll
        for (int u = 0; u < KERNEL; ++u) {
            float x[COLUMNS + KERNEL - 1];
            load_row(m.x + (r + u) * X_STRIDE + first, x);
#pragma unroll
            for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                for (int s = 0; s < COLUMNS; ++s) g[u * KERNEL + v] += d[s] * x[s + v];
        }
    }
    m.scratch[C1_HALVES + warp * WARP + r] = warp_sums(g);
}

__device__ inline void add_halves(float* __restrict__ group, const Memory& m) {
    const int k = threadIdx.x;
    if (k < C1_MAPS * TAPS) {
        const float* half = m.scratch + C1_HALVES + k / TAPS * HALVES * WARP + k % TAPS;
        group[C1_WEIGHT + k] = half[0] + half[WARP];
    } else if (k < C1_MAPS * TAPS + 3 * S2_MAPS) {
        const int map = (k - C1_MAPS * TAPS) % S2_MAPS, which = (k - C1_MAPS * TAPS) / S2_MAPS;
        const float* half = m.scratch + S2_HALVES + map * HALVES * 4 + which;
        const int gradient = which == 0 ? S2_COEFFICIENT : (which == 1 ? S2_BIAS : C1_BIAS);
        group[gradient + map] = half[0] + half[4];
    }
}

// The whole backward pass; the forward pass must have left its activations in shared memory.
__device__ inline void backward(
    const float* __restrict__ parameters, int loss, int label, float one_over_batch, float* __restrict__ group,
    float* __restrict__ record, Memory& m) {
    constexpr int F6_SLICES = 14, C5_SLICES = 5;
    loss_backward(loss, label, one_over_batch, m);
    __syncthreads();
    backward_head(parameters, m);
    __syncthreads();
    backward_dense<C5_UNITS, F6_UNITS, F6_SLICES>(parameters + F6_WEIGHT, m.d_f6, m.scratch);
    __syncthreads();
    if (threadIdx.x < C5_UNITS)
        m.d_c5[threadIdx.x] =
            sum_of_slices<C5_UNITS, F6_SLICES>(m.scratch, threadIdx.x) * squash_slope(m.c5[threadIdx.x]);
    __syncthreads();
    backward_dense<S4_UNITS, C5_UNITS, C5_SLICES>(parameters + C5_WEIGHT, m.d_c5, m.scratch);
    // The factors of the dense layers' gradients are complete.
    const float* exchanged = reinterpret_cast<const float*>(static_cast<const Exchanged*>(&m));
    for (int k = threadIdx.x; k < RECORD; k += THREADS) record[k] = exchanged[k];
    __syncthreads();
    backward_s4<C5_SLICES>(group, m);
    __syncthreads();
    backward_c3_weights(group, m);
    backward_c3_inputs(m);
    __syncthreads();
    backward_s2(m);
    __syncthreads();
    backward_c1_weights(m);
    __syncthreads();
    add_halves(group, m);
}
