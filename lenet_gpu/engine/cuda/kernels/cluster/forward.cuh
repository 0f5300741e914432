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
// Two lanes take a place of S2, each one row of the two of C1 below it, in three maps; each sends S2's outputs to every
// other block. A warp takes 16 neighbouring places.
template <class Sink>
__device__ inline void forward_c1_s2(Memory& m, const float* x, const Turn& turn, const Sink& sink) {
    constexpr int SHARES = 2, MAPS = C1_MAPS / SHARES, PLACES = WARP / 2, SHARE = (OWN_PLACES + PLACES - 1) / PLACES;
    static_assert(SHARES * SHARE <= WARPS, "half of the maps for as many warps");
    const int t = anew(threadIdx.x), rank = anew(turn.rank), warp = t / WARP, lane = t % WARP;
    const int first_map = warp < SHARE ? 0 : MAPS, row = lane / PLACES;
    const int candidate = warp % SHARE * PLACES + lane % PLACES;
    const bool active = warp < SHARES * SHARE && candidate < own_half_rows(rank) * HALF;
    const int spot = active ? candidate : 0, place = first_half_row(rank) * HALF + spot;
    const int r = place / S2_SIZE, c = place % S2_SIZE;
    float rows[KERNEL][KERNEL + 1], y[MAPS], sum[MAPS];
#pragma unroll
    for (int u = 0; u < KERNEL; ++u) load_row(x + (2 * r + row + u - first_row(rank)) * X_STRIDE + 2 * c, rows[u]);
#pragma unroll
    for (int k = 0; k < MAPS; ++k) {
        const int map = first_map + k;
        float weight[KERNEL_STRIDE];
        load_kernel(m.own.c1_weight + map * KERNEL_STRIDE, weight);
        const float bias = m.own.c1_rest[BIAS_C1 + map];
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
        const float other = __shfl_xor_sync(0xffffffffu, sum[k], PLACES);
        const float both = row == 0 ? sum[k] + other : other + sum[k];
        y[k] = squash(m.own.c1_rest[COEFFICIENT_S2 + first_map + k] * both + m.own.c1_rest[BIAS_S2 + first_map + k]);
    }
    sink.before_s2(turn);
    if (!active) return;
    const unsigned at = address_of(m.s2 + first_map * S2_MAP + r * S2_STRIDE + c);
#pragma unroll
    for (int k = 0; k < CLUSTER; k += 2) {
        const int block = k + row;
        if (block >= CLUSTER) continue;
        const unsigned to = remote(at, block), mail = remote(mail_of(m, MAIL_S2), block);
#pragma unroll
        for (int j = 0; j < MAPS; ++j) store_async(to + j * S2_MAP * sizeof(float), y[j], mail);
    }
}

// C3's sums, a pair of Table I at a time: a = sum over u, v of weight[pair(o, i), u, v] * S2[i, r + u, s + v]
//
// A warp takes two pairs, a lane the four places under one of S4's 25: the first half of the lanes 14, the second half 11,
// which then look at different banks.
__device__ inline void forward_c3_pairs(Memory& m, const Turn& turn) {
    const int t = anew(threadIdx.x), rank = anew(turn.rank), warp = t / WARP, lane = t % WARP;
    const int first = 2 * at_most(warp, PAIR_WARPS - 1), second = first + 1;
    float weight[KERNEL_STRIDE];
    load_kernel(m.own.c3_weight + first * KERNEL_STRIDE, weight);
    wait_for(m, MAIL_S2, turn.parity);
    MARK(3);  // S2 there
    constexpr int FIRST_HALF = 14;
    const int unit = lane < WARP / 2 ? lane : lane - WARP / 2 + FIRST_HALF;
    if (unit >= (lane < WARP / 2 ? FIRST_HALF : S4_AREA) || warp >= PAIR_WARPS) return;
    const float* corner = m.s2 + 2 * (unit / S4_SIZE) * S2_STRIDE + 2 * (unit % S4_SIZE);
    float4* sums = reinterpret_cast<float4*>(m.scratch);  // [pairs][25]
    float patch[KERNEL + 1][KERNEL + 1];
    load_patch(corner + PARTITION.input[rank][first] * S2_MAP, S2_STRIDE, patch);
    float a[4] = {};
    correlate(patch, weight, a);
    sums[first * S4_AREA + unit] = make_float4(a[0], a[1], a[2], a[3]);
    if (second >= OWN_PAIRS) return;
    if (!PARTITION.joined[rank][warp])
        load_patch(corner + PARTITION.input[rank][second] * S2_MAP, S2_STRIDE, patch);
    load_kernel(m.own.c3_weight + second * KERNEL_STRIDE, weight);
    float b[4] = {};
    correlate(patch, weight, b);
    sums[second * S4_AREA + unit] = make_float4(b[0], b[1], b[2], b[3]);
}

// C3: y[o, r, s] = f(bias[o] + the sums of its pairs)                                          16 maps of 10x10
// S4: as S2                                                                                    16 maps of 5x5
//
// By the last warps, a map each.
__device__ inline void forward_c3_s4(Memory& m, int rank, int t) {
    const int map = t / WARP - (WARPS - MOST_MAPS), lane = t % WARP;
    if (map < 0 || map >= PARTITION.maps[rank] || lane >= S4_AREA) return;
    const float bias = m.own.c3_rest[BIAS_C3 + map];
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
    m.s4[map * S4_AREA + lane] = squash(m.own.c3_rest[COEFFICIENT_S4 + map] * sum + m.own.c3_rest[BIAS_S4 + map]);
}

// C5, what the block's inputs contribute: a[j] = sum over the own i of weight[j, i] * S4[i]
//
// Eight lanes take a unit, and then another one or a few; the sums go to the block whose unit it is. Between the parts: S4.
__device__ inline void forward_s4_c5(Memory& m, const Turn& turn) {
    constexpr int QUADS = C5_STRIDE / 4, OWN_QUADS = (QUADS + C5_LANES - 1) / C5_LANES, AT_ONCE = THREADS / C5_LANES;
    constexpr int ROUNDS = (C5_UNITS + AT_ONCE - 1) / AT_ONCE, STEP = C5_UNITS / ROUNDS;
    static_assert(STEP * ROUNDS == C5_UNITS && STEP <= AT_ONCE && ROUNDS <= C5_LANES, "as many units for each lane");
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    const int first = at_most(t / C5_LANES, STEP - 1), slice = t % C5_LANES;
    const float4* weights = reinterpret_cast<const float4*>(m.own.c5_weight) + first * QUADS + slice;
    float4 weight[ROUNDS][OWN_QUADS];
#pragma unroll
    for (int round = 0; round < ROUNDS; ++round)
#pragma unroll
        for (int k = 0; k < OWN_QUADS; ++k)
            if (slice + k * C5_LANES < QUADS) weight[round][k] = weights[round * STEP * QUADS + k * C5_LANES];
    forward_c3_s4(m, rank, t);
    workers_wait();
    MARK(5);  // S4
    const float4* inputs = reinterpret_cast<const float4*>(m.s4) + slice;
    float4 a[ROUNDS] = {};
#pragma unroll
    for (int k = 0; k < OWN_QUADS; ++k)
        if (slice + k * C5_LANES < QUADS) {
            const float4 x = inputs[k * C5_LANES];
#pragma unroll
            for (int round = 0; round < ROUNDS; ++round) {
                a[round].x += weight[round][k].x * x.x;
                a[round].y += weight[round][k].y * x.y;
                a[round].z += weight[round][k].z * x.z;
                a[round].w += weight[round][k].w * x.w;
            }
        }
    float sums[ROUNDS];
#pragma unroll
    for (int round = 0; round < ROUNDS; ++round) sums[round] = (a[round].x + a[round].y) + (a[round].z + a[round].w);
    const float sum = sums_of_lanes<ROUNDS, C5_LANES>(sums);
    const int unit = t / C5_LANES + slice * STEP, block = unit / OWN_C5;
    if (t / C5_LANES < STEP && slice < ROUNDS)
        store_async(remote(address_of(m.c5_parts + rank * OWN_C5 + unit % OWN_C5), block), sum,
                    remote(mail_of(m, MAIL_C5), block));
}

// C5: y[j] = f(bias[j] + the blocks' sums), for the own units.
// F6, what they contribute: a[j] = sum over the own i of weight[j, i] * C5[i], to every block
__device__ inline void forward_c5_f6(Memory& m, const Turn& turn) {
    constexpr int INPUTS = OWN_C5 / F6_LANES;
    static_assert(INPUTS * F6_LANES == OWN_C5 && F6_LANES * F6_UNITS <= THREADS, "as many inputs for each lane");
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    const int unit = t / F6_LANES, slice = t % F6_LANES;
    const float* weights = m.own.f6_weight + at_most(unit, F6_UNITS - 1) * F6_STRIDE + slice;
    float weight[INPUTS];
#pragma unroll
    for (int k = 0; k < INPUTS; ++k) weight[k] = weights[k * F6_LANES];
    wait_for(m, MAIL_C5, turn.parity);
    MARK(7);  // C5 there
    if (t < OWN_C5) m.c5[t] = squash(m.own.c5_bias[t] + sum_of_blocks(m.c5_parts + t, OWN_C5));
    workers_wait();
    MARK(8);  // C5
    const float* inputs = m.c5 + slice;
    float a[3] = {};
#pragma unroll
    for (int k = 0; k < INPUTS; ++k) a[k % 3] += weight[k] * inputs[k * F6_LANES];
    float sums[1] = {a[0] + a[1] + a[2]};
    const float sum = sums_of_lanes<1, F6_LANES>(sums);
    if (unit >= F6_UNITS) return;
    const unsigned at = address_of(m.f6_parts + rank * F6_UNITS + unit);
#pragma unroll
    for (int block = 0; block < CLUSTER; ++block)
        if (block % F6_LANES == slice) store_async(remote(at, block), sum, remote(mail_of(m, MAIL_F6), block));
}

// F6: y[j] = f(bias[j] + the blocks' sums); a lane has units lane, lane + 32 and lane + 64, or 0 beyond the last.
constexpr int UNITS_A_LANE = (F6_UNITS + WARP - 1) / WARP;
__device__ inline int unit_of(int lane, int k) { return lane + k * WARP < F6_UNITS ? lane + k * WARP : F6_UNITS - 1; }
__device__ inline void forward_f6(const Memory& m, int lane, const float (&bias)[UNITS_A_LANE], float (&y)[UNITS_A_LANE]) {
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k) {
        const float sum = sum_of_blocks(m.f6_parts + unit_of(lane, k), F6_UNITS);
        y[k] = lane + k * WARP < F6_UNITS ? squash(bias[k] + sum) : 0.0f;
    }
}
