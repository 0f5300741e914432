// The forward pass of one image by a cluster: pixels to F6. What a phase needs of the weights it reads before it waits.
#include "cluster/form.cuh"
#include "cluster/input.cuh"
#include "patch.cuh"

// Of a kernel and five rows of input, two neighbouring sums.
__device__ inline void correlate_two(
    const float (&rows)[KERNEL][KERNEL + 1], const float (&weight)[KERNEL_STRIDE], float (&a)[2]) {
#pragma unroll
    for (int u = 0; u < KERNEL; ++u)
#pragma unroll
        for (int v = 0; v < KERNEL; ++v) {
            a[0] += weight[u * KERNEL + v] * rows[u][v];
            a[1] += weight[u * KERNEL + v] * rows[u][v + 1];
        }
}

// C1: y[o, r, s] = f(bias[o] + sum over u, v of weight[o, u, v] * x[r + u, s + v])            6 maps of 28x28
// S2: y[o, r, s] = f(coefficient[o] * (sum of the 2x2 units of C1 below) + bias[o])           6 maps of 14x14
//
// Two lanes take a place of S2, each one row of the two of C1 below it, in three maps; each sends S2's outputs to two of
// the four blocks.
template <class Sink>
__device__ inline void forward_c1_s2(Memory& m, const float* x, const Turn& turn, const Sink& sink) {
    constexpr int MAPS = C1_MAPS / 2;
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    const int first_map = t / (THREADS / 2) * MAPS, row = t % 2;
    const bool active = t % (THREADS / 2) < 2 * OWN_PLACES;
    const int spot = active ? t % (THREADS / 2) / 2 : 0, place = OWN_PLACES * rank + spot;
    const int r = place / S2_SIZE, c = place % S2_SIZE;
    float rows[KERNEL][KERNEL + 1], y[MAPS], sum[MAPS];
#pragma unroll
    for (int u = 0; u < KERNEL; ++u) load_row(x + (2 * r + row + u - first_row(rank)) * X_STRIDE + 2 * c, rows[u]);
#pragma unroll
    for (int k = 0; k < MAPS; ++k) {
        const int map = first_map + k;
        float weight[KERNEL_STRIDE];
        load_kernel(m.c1_weight + map * KERNEL_STRIDE, weight);
        const float bias = m.c1_rest[BIAS_C1 + map];
        float a[2] = {bias, bias};
        correlate_two(rows, weight, a);
        a[0] = squash(a[0]);
        a[1] = squash(a[1]);
        if (active)
            *reinterpret_cast<float2*>(
                m.c1 + (map * HALF_ROWS + spot / HALF) * C1_STRIDE + row * C1_SECOND + 2 * (spot % HALF)) =
                make_float2(a[0], a[1]);
        sum[k] = a[0] + a[1];
    }
#pragma unroll
    for (int k = 0; k < MAPS; ++k) {
        const float other = __shfl_xor_sync(0xffffffffu, sum[k], 1);
        const float both = row == 0 ? sum[k] + other : other + sum[k];
        y[k] = squash(m.c1_rest[COEFFICIENT_S2 + first_map + k] * both + m.c1_rest[BIAS_S2 + first_map + k]);
    }
    sink.before_s2(turn);
    if (!active) return;
    const unsigned at = address_of(m.s2 + first_map * S2_MAP + r * S2_STRIDE + c);
#pragma unroll
    for (int k = 0; k < CLUSTER / 2; ++k) {
        const int block = CLUSTER / 2 * row + k;
        const unsigned to = remote(at, block), mail = remote(mail_of(m, MAIL_S2), block);
#pragma unroll
        for (int j = 0; j < MAPS; ++j) store_async(to + j * S2_MAP * sizeof(float), y[j], mail);
    }
}

// C3's sums, a pair of Table I at a time: a = sum over u, v of weight[pair(o, i), u, v] * S2[i, r + u, s + v]
//
// A warp takes two pairs, a lane the four places under one of S4's 25.
__device__ inline void forward_c3_pairs(Memory& m, const Turn& turn) {
    const int t = anew(threadIdx.x), rank = anew(turn.rank), warp = t / WARP, lane = t % WARP;
    const int first = 2 * warp, second = first + 1;
    float weight[KERNEL_STRIDE];
    load_kernel(m.c3_weight + first * KERNEL_STRIDE, weight);
    wait_for(m, MAIL_S2, turn.parity);
    MARK(3);
    if (lane >= S4_AREA) return;
    const float* corner = m.s2 + 2 * (lane / S4_SIZE) * S2_STRIDE + 2 * (lane % S4_SIZE);
    float4* sums = reinterpret_cast<float4*>(m.scratch);  // [15 pairs][25]
    float patch[KERNEL + 1][KERNEL + 1];
    load_patch(corner + PARTITION.input[rank][first] * S2_MAP, S2_STRIDE, patch);
    float a[4] = {};
    correlate(patch, weight, a);
    sums[first * S4_AREA + lane] = make_float4(a[0], a[1], a[2], a[3]);
    if (second >= OWN_PAIRS) return;
    if (!PARTITION.joined[rank][warp])
        load_patch(corner + PARTITION.input[rank][second] * S2_MAP, S2_STRIDE, patch);
    load_kernel(m.c3_weight + second * KERNEL_STRIDE, weight);
    float b[4] = {};
    correlate(patch, weight, b);
    sums[second * S4_AREA + lane] = make_float4(b[0], b[1], b[2], b[3]);
}

// C3: y[o, r, s] = f(bias[o] + the sums of its pairs)                                          16 maps of 10x10
// S4: as S2                                                                                    16 maps of 5x5
//
// By the last four warps, a map each.
__device__ inline void forward_c3_s4(Memory& m, int rank, int t) {
    const int map = t / WARP - (WARPS - OWN_MAPS), lane = t % WARP;
    if (map < 0 || lane >= S4_AREA) return;
    const float bias = m.c3_rest[BIAS_C3 + map];
    float a[4] = {bias, bias, bias, bias};
    const int count = PARTITION.count[rank][map];
#pragma unroll
    for (int k = 0; k < MOST_FEEDERS; ++k)
        if (k < count) {
            const float4 four =
                reinterpret_cast<const float4*>(m.scratch)[PARTITION.pairs[rank][map][k] * S4_AREA + lane];
            a[0] += four.x;
            a[1] += four.y;
            a[2] += four.z;
            a[3] += four.w;
        }
    float* corner = m.c3 + map * C3_MAP + (ZERO_ROWS + 2 * (lane / S4_SIZE)) * C3_STRIDE + 2 * (lane % S4_SIZE);
    const float sum = squash_four(a, corner, C3_STRIDE);
    m.s4[map * S4_AREA + lane] = squash(m.c3_rest[COEFFICIENT_S4 + map] * sum + m.c3_rest[BIAS_S4 + map]);
}

// C5, what the block's inputs contribute: a[j] = sum over the 100 own i of weight[j, i] * S4[i]
//
// Two lanes take a unit; the sum goes to the block whose unit it is. Between the parts: S4.
__device__ inline void forward_s4_c5(Memory& m, const Turn& turn) {
    constexpr int QUADS = OWN_S4 / 4, FIRST = QUADS / 2, SECOND = QUADS - FIRST;
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    const int unit = t / 2, half = t % 2, row = unit < C5_UNITS ? unit : C5_UNITS - 1;
    const float4* weights = reinterpret_cast<const float4*>(m.dense.c5_weight) + row * QUADS + half * FIRST;
    float4 weight[SECOND];
#pragma unroll
    for (int k = 0; k < SECOND; ++k)
        if (k < FIRST || half == 1) weight[k] = weights[k];
    forward_c3_s4(m, rank, t);
    workers_wait();
    MARK(5);
    const float4* inputs = reinterpret_cast<const float4*>(m.s4) + half * FIRST;
    float4 a = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
    for (int k = 0; k < SECOND; ++k)
        if (k < FIRST || half == 1) {
            const float4 x = inputs[k];
            a.x += weight[k].x * x.x;
            a.y += weight[k].y * x.y;
            a.z += weight[k].z * x.z;
            a.w += weight[k].w * x.w;
        }
    float sum = (a.x + a.y) + (a.z + a.w);
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    const int block = unit / OWN_C5;
    if (half == 0 && unit < C5_UNITS)
        store_async(remote(address_of(m.c5_parts + rank * OWN_C5 + unit % OWN_C5), block), sum,
                    remote(mail_of(m, MAIL_C5), block));
}

// C5: y[j] = f(bias[j] + the four blocks' sums), for the 30 own units.
// F6, what they contribute: a[j] = sum over the 30 own i of weight[j, i] * C5[i], to every block
__device__ inline void forward_c5_f6(Memory& m, const Turn& turn) {
    constexpr int INPUTS = OWN_C5 / 2;
    static_assert(INPUTS % 3 == 0 && 2 * F6_UNITS <= THREADS, "three sums side by side, two lanes a unit");
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    const int unit = t / 2, half = t % 2, row = unit < F6_UNITS ? unit : F6_UNITS - 1;
    const float* weights = m.dense.f6_weight + row * OWN_C5 + half * INPUTS;
    float weight[INPUTS];
#pragma unroll
    for (int k = 0; k < INPUTS; ++k) weight[k] = weights[k];
    wait_for(m, MAIL_C5, turn.parity);
    MARK(7);
    if (t < OWN_C5) {
        const float* part = m.c5_parts + t;
        m.c5[t] = squash(m.dense.c5_bias[t] + ((part[0] + part[OWN_C5]) + (part[2 * OWN_C5] + part[3 * OWN_C5])));
    }
    workers_wait();
    MARK(8);
    const float* inputs = m.c5 + half * INPUTS;
    float a[3] = {};
#pragma unroll
    for (int k = 0; k < INPUTS; ++k) a[k % 3] += weight[k] * inputs[k];
    float sum = a[0] + a[1] + a[2];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    if (half == 1 || unit >= F6_UNITS) return;
    const unsigned at = address_of(m.f6_parts + rank * F6_UNITS + unit);
#pragma unroll
    for (int block = 0; block < CLUSTER; ++block)
        store_async(remote(at, block), sum, remote(mail_of(m, MAIL_F6), block));
}

// F6: y[j] = f(bias[j] + the four blocks' sums); a lane has units lane, lane + 32 and lane + 64, or 0 beyond the last.
constexpr int UNITS_A_LANE = (F6_UNITS + WARP - 1) / WARP;
__device__ inline int unit_of(int lane, int k) { return lane + k * WARP < F6_UNITS ? lane + k * WARP : F6_UNITS - 1; }
__device__ inline void forward_f6(const Memory& m, int lane, const float (&bias)[UNITS_A_LANE], float (&y)[UNITS_A_LANE]) {
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k) {
        const float* part = m.f6_parts + unit_of(lane, k);
        const float sum = (part[0] + part[F6_UNITS]) + (part[2 * F6_UNITS] + part[3 * F6_UNITS]);
        y[k] = lane + k * WARP < F6_UNITS ? squash(bias[k] + sum) : 0.0f;
    }
}
