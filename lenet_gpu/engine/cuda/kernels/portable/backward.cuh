// The backward pass of one image by one thread block: from the label to what the update kernel adds up.
//
// E is the loss of the batch, d stands for dE/da, the derivative by a unit's weighted sum a (before squashing).
#include "portable/dense.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

// What a lane adds to three gradients of a subsampling map and the convolution below it. The sums over the lanes are only
// written down: they are formed after the barrier that the next phase waits for, beside its work.
struct MapGradients {
    float coefficient = 0.0f, bias = 0.0f, convolution_bias = 0.0f;

    // The unit's d, and the 2x2 units of the convolution, whose d overwrites their y:
    //
    //   convolution: d = f'(a) * coefficient * d[unit]
    __device__ void add_unit(float d, float map_coefficient, float* corner, int stride) {
        float2* top = reinterpret_cast<float2*>(corner);
        float2* bottom = reinterpret_cast<float2*>(corner + stride);
        const float2 y0 = *top, y1 = *bottom;
        const float back = d * map_coefficient;
        const float2 d0 = make_float2(back * squash_slope(y0.x), back * squash_slope(y0.y));
        const float2 d1 = make_float2(back * squash_slope(y1.x), back * squash_slope(y1.y));
        *top = d0;
        *bottom = d1;
        coefficient += d * (y0.x + y0.y + y1.x + y1.y);
        bias += d;
        convolution_bias += d0.x + d0.y + d1.x + d1.y;
    }

    // Lanes 0, 8 and 16 get the sums of coefficient, bias and convolution_bias.
    __device__ float sums() const {
        float values[4] = {coefficient, bias, convolution_bias, 0.0f};
        return warp_sums(values);
    }
    static constexpr int LANES_A_SUM = 8;
};

// S4, and C3's squashing. With z = sum of the 2x2 units of C3, a = coefficient * z + bias:
//   d = f'(a) * (what C5 sends back)      dE/dcoefficient = sum of d * z      dE/dbias = sum of d
//   C3: d = f'(a) * coefficient * d[S4]   dE/dbias = sum of d
//
// A warp takes a map, a lane one of its 25 units.
__device__ inline MapGradients backward_s4(Memory& m) {
    const int thread = thread_index(), lane = thread % WARP, map = thread / WARP;
    MapGradients gradients;
    if (lane < S4_AREA) {
        const int unit = map * S4_AREA + lane;
        const float d = sum_of_slices<S4_UNITS, C5Columns::SLICES>(m.scratch, unit) * squash_slope(m.s4[unit]);
        float* corner = m.c3 + map * C3_MAP + 2 * (lane / S4_SIZE) * C3_SIZE + 2 * (lane % S4_SIZE);
        gradients.add_unit(d, m.s4_coefficient[map], corner, C3_SIZE);
    }
    return gradients;
}

__device__ inline void write_s4_gradients(const MapGradients& gradients, float* __restrict__ group) {
    const int thread = thread_index(), lane = thread % WARP, map = thread / WARP, which = lane / MapGradients::LANES_A_SUM;
    const float sum = gradients.sums();
    const int gradient = which == 0 ? S4_COEFFICIENT : (which == 1 ? S4_BIAS : C3_BIAS);
    if (lane % MapGradients::LANES_A_SUM == 0 && which < 3) group[gradient + map] = sum;
}

// The following two phases share the warps, without a barrier in between: six take C3's weights, ten C3's inputs.
constexpr int C3_WEIGHT_WARPS = S2_MAPS, C3_INPUT_WARPS = C3_SIZE;
static_assert(C3_WEIGHT_WARPS + C3_INPUT_WARPS == WARPS, "a warp for each S2 map, one for each row of C3");

// C3's weights: dE/dweight[pair(o, i), u, v] = sum over r, s of d[o, r, s] * S2[i, r + u, s + v]
//
// A warp takes an S2 map, a lane a row of the kernels of two of the ten pairs that read the map: five lanes share each
// row of d, five lanes each row of S2, and a row of S2 (14) and two of d (10) serve 100 products.
__device__ inline void backward_c3_weights(int input, float* __restrict__ group, const Memory& m) {
    constexpr int PAIRS_A_LANE = 2, LANES = FEEDS / PAIRS_A_LANE * KERNEL;
    const int lane = thread_index() % WARP;
    if (lane >= LANES) return;
    const int u = lane % KERNEL, pair0 = PAIRS.feeds[input][lane / KERNEL * 2], pair1 = PAIRS.feeds[input][lane / KERNEL * 2 + 1];
    const float* d0_row = m.c3 + PAIRS.output[pair0] * C3_MAP;
    const float* d1_row = m.c3 + PAIRS.output[pair1] * C3_MAP;
    const float* s2_row = m.s2 + input * S2_MAP + u * S2_STRIDE;
    float g0[KERNEL] = {}, g1[KERNEL] = {};
#pragma unroll 2
    for (int r = 0; r < C3_SIZE; ++r) {
        float y[S2_SIZE], d0[C3_SIZE], d1[C3_SIZE];
        load_row(s2_row + r * S2_STRIDE, y);
        load_row(d0_row + r * C3_SIZE, d0);
        load_row(d1_row + r * C3_SIZE, d1);
#pragma unroll
        for (int s = 0; s < C3_SIZE; ++s)
#pragma unroll
            for (int v = 0; v < KERNEL; ++v) {
                g0[v] += d0[s] * y[s + v];
                g1[v] += d1[s] * y[s + v];
            }
    }
#pragma unroll
    for (int v = 0; v < KERNEL; ++v) {
        group[C3_WEIGHT + pair0 * TAPS + u * KERNEL + v] = g0[v];
        group[C3_WEIGHT + pair1 * TAPS + u * KERNEL + v] = g1[v];
    }
}

// C3's inputs: what C3 sends back to S2 is
//
//   b[i, r, c] = sum over the pairs (o, i), and u, v, of weight[pair, u, v] * d[C3][o, r - u, c - v]
//
// A warp takes a row of all maps of C3, a lane a map of S2 and a row u of the kernels: the 14 sums of what its row of C3,
// by the kernels' rows u, adds to row r = row + u of S2's map. A row of d (10) times a row of the kernel (5) falls on 14
// sums: 50 products for 15 loads, and none with the zeros around the map; the lanes of a map read the same row of d. The
// sums of the up to five rows of C3 that reach a row of S2 are added when that is read, see backward_s2.
constexpr int PARTIAL_LANES = S2_MAPS * KERNEL;                // 30
constexpr int PARTIAL_STRIDE = PARTIAL_LANES * S2_SIZE + 10;  // 430 = 14 modulo 32: rows of S2 follow one another in the banks
constexpr int PARTIALS = C3_SIZE * PARTIAL_STRIDE;
constexpr int S2_SUMS = PARTIALS, S2_SUMS_A_WARP = 4;          // behind them, three sums of each of 12 warps
constexpr int S2_WARPS = 2 * S2_MAPS;
static_assert(S2_SUMS + S2_WARPS * S2_SUMS_A_WARP <= RECORD + SCRATCH, "the record's fields and the scratch");
static_assert(PARTIAL_LANES <= WARP, "a lane for each S2 map and kernel row");

__device__ inline float* partials_of(Memory& m) { return reinterpret_cast<float*>(&m); }

__device__ inline void backward_c3_inputs(int row, Memory& m) {
    const int lane = thread_index() % WARP;
    if (lane >= PARTIAL_LANES) return;
    const int input = lane / KERNEL, u = lane % KERNEL;
    float sum[S2_SIZE] = {};
#pragma unroll 2
    for (int k = 0; k < FEEDS; ++k) {
        const int pair = PAIRS.feeds[input][k];
        float d[C3_SIZE], weight[KERNEL];
        load_row(m.c3 + PAIRS.output[pair] * C3_MAP + row * C3_SIZE, d);
#pragma unroll
        for (int v = 0; v < KERNEL; ++v) weight[v] = m.c3_weight[pair * KERNEL_STRIDE + u * KERNEL + v];
#pragma unroll
        for (int v = 0; v < KERNEL; ++v)
#pragma unroll
            for (int s = 0; s < C3_SIZE; ++s) sum[s + v] += weight[v] * d[s];
    }
    float2* partial = reinterpret_cast<float2*>(partials_of(m) + row * PARTIAL_STRIDE + lane * S2_SIZE);
#pragma unroll
    for (int c = 0; c < S2_SIZE; c += 2) partial[c / 2] = make_float2(sum[c], sum[c + 1]);
}

// S2, and C1's squashing: as S4. C1's d overwrites C1's y.
//
// A warp takes a map and four or three times two rows of it, a lane a unit each time.
__device__ inline MapGradients backward_s2(Memory& m) {
    constexpr int ROWS = 2, LANES = ROWS * S2_SIZE, TURNS = 4;
    const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP;
    MapGradients gradients;
    if (warp >= S2_WARPS || lane >= LANES) return gradients;
    const int map = warp % S2_MAPS, half = warp / S2_MAPS, column = lane % S2_SIZE;
    const float coefficient = m.s2_coefficient[map];
    const float* partial = partials_of(m) + map * KERNEL * S2_SIZE + column;
#pragma unroll
    for (int turn = 0; turn < TURNS; ++turn) {
        const int row = (half * TURNS + turn) * ROWS + lane / S2_SIZE;
        if (row >= S2_SIZE) break;
        float back = 0.0f;
#pragma unroll
        for (int u = 0; u < KERNEL; ++u) {
            const int r = row - u;
            if (r >= 0 && r < C3_SIZE) back += partial[r * PARTIAL_STRIDE + u * S2_SIZE];
        }
        const float d = back * squash_slope(m.s2[map * S2_MAP + row * S2_STRIDE + column]);
        gradients.add_unit(d, coefficient, m.c1 + map * C1_MAP + 2 * row * C1_STRIDE + 2 * column, C1_STRIDE);
    }
    return gradients;
}

// The sums of a warp's rows of S2.
__device__ inline void keep_s2_gradients(const MapGradients& gradients, Memory& m) {
    const int thread = thread_index(), lane = thread % WARP, warp = thread / WARP;
    if (warp >= S2_WARPS) return;
    const float sum = gradients.sums();
    if (lane % MapGradients::LANES_A_SUM == 0)
        partials_of(m)[S2_SUMS + warp * S2_SUMS_A_WARP + lane / MapGradients::LANES_A_SUM] = sum;
}

// C1's weights: dE/dweight[o, u, v] = sum over r, s of d[o, r, s] * x[r + u, s + v]
//
// A lane takes a row r of the map, a warp one half of its columns: 14 values of d and five rows of 18 inputs in
// registers serve 350 products. Then the 28 rows are added, lane k of the warp ending with the sum of weight k.
constexpr int HALVES = 2, C1_WARPS = C1_MAPS * HALVES;
static_assert(C1_WARPS <= WARPS && C1_WARPS * WARP <= S2_SUMS, "room for the partial sums");

__device__ inline void backward_c1_weights(Memory& m) {
    constexpr int COLUMNS = C1_SIZE / HALVES;
    const int thread = thread_index(), warp = thread / WARP, r = thread % WARP;
    if (warp >= C1_WARPS) return;
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
            for (int s = 0; s < COLUMNS; ++s)
#pragma unroll
                for (int v = 0; v < KERNEL; ++v) g[u * KERNEL + v] += d[s] * x[s + v];
        }
    }
    partials_of(m)[warp * WARP + r] = warp_sums(g);
}

__device__ inline void add_halves(float* __restrict__ group, Memory& m) {
    const int k = thread_index();
    if (k < C1_MAPS * TAPS) {
        const float* half = partials_of(m) + k / TAPS * HALVES * WARP + k % TAPS;
        group[C1_WEIGHT + k] = half[0] + half[WARP];
    } else if (k < C1_MAPS * TAPS + 3 * S2_MAPS) {
        const int map = (k - C1_MAPS * TAPS) % S2_MAPS, which = (k - C1_MAPS * TAPS) / S2_MAPS;
        const float* half = partials_of(m) + S2_SUMS + map * S2_SUMS_A_WARP + which;
        const int gradient = which == 0 ? S2_COEFFICIENT : (which == 1 ? S2_BIAS : C1_BIAS);
        group[gradient + map] = half[0] + half[S2_MAPS * S2_SUMS_A_WARP];
    }
}

// The whole backward pass; the forward pass must have left its activations in shared memory, and F6's weights.
__device__ inline void backward(
    const float* __restrict__ parameters, const F6Rows& f6, int loss, int label, float one_over_batch,
    float* __restrict__ group, float* __restrict__ record, Memory& m) {
    const int thread = thread_index(), warp = thread / WARP;
    BackHead head;
    head.load(parameters);
    C5Columns c5;
    c5.load(parameters + C5_WEIGHT);
    head.backward(loss, label, one_over_batch, m);
    __syncthreads();
    MARK(7);  // loss
    f6.backward(m.d_f6, m.scratch);
    __syncthreads();
    MARK(8);  // back through F6
    if (thread < C5_UNITS) m.d_c5[thread] = sum_of_slices<C5_UNITS, F6_WARPS>(m.scratch, thread) * squash_slope(m.c5[thread]);
    __syncthreads();
    MARK(9);  // d of C5
    c5.backward(parameters + C5_WEIGHT, m.d_c5, m.scratch);
    // The factors of the dense layers' gradients are complete.
    const float4* exchanged = reinterpret_cast<const float4*>(static_cast<const Exchanged*>(&m));
    for (int k = thread; k < RECORD / 4; k += THREADS) reinterpret_cast<float4*>(record)[k] = exchanged[k];
    __syncthreads();
    MARK(10);  // back through C5
    const MapGradients s4 = backward_s4(m);
    __syncthreads();
    MARK(11);  // S4
    if (warp < C3_WEIGHT_WARPS) backward_c3_weights(warp, group, m);
    else backward_c3_inputs(warp - C3_WEIGHT_WARPS, m);
    write_s4_gradients(s4, group);
    __syncthreads();
    MARK(12);  // C3 backward
    const MapGradients s2 = backward_s2(m);
    __syncthreads();
    MARK(13);  // S2
    backward_c1_weights(m);
    keep_s2_gradients(s2, m);
    __syncthreads();
    MARK(14);  // C1's weights
    add_halves(group, m);
    MARK(15);  // last sums
}
