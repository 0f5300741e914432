// The backward pass of one image by a cluster.
//
// E is the loss of the batch, d stands for dE/da, the derivative by a unit's weighted sum a (before squashing). Gradients
// of C1 to S4 are handed to `sink` as soon as they are complete, for it to move the parameter or to write them down.
#include "cluster/forward.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

constexpr int F6_SLICES = THREADS / OWN_C5;                // of a sum over units
constexpr int C5_SUMS = THREADS;                           // in scratch: what F6's weights send back lies before it
constexpr int C3_PARTS = 5;                                // of the sum over the rows of a map
constexpr int C1_SUMS = C1_MAPS * HALF_ROWS * TAPS;        // in scratch: S2's sums lie behind it, [warps][4]
static_assert(C5_SUMS + C5_SLICES * C5_STRIDE <= SCRATCH, "room for partial sums");
static_assert(C3_KERNELS * C3_PARTS <= SCRATCH && C1_SUMS + 4 * WARPS <= SCRATCH, "room for partial sums");

// Threads that take four inputs of C5 and a slice of its units, backward.
constexpr int C5_QUADS = C5_STRIDE / 4, C5_SLICE = C5_UNITS / C5_SLICES, C5_ITEMS = C5_QUADS * C5_SLICES;
static_assert(C5_SLICE * C5_SLICES == C5_UNITS && C5_SLICE % 2 == 0 && C5_ITEMS <= THREADS, "d is read two at a time");

// The output, and back to C5: d[C5][i] = f'(a) * sum over j of weight[j, i] * d[F6][j], for the own units; to every block
//
// A few threads take a unit, each a slice of the units of F6.
// Meanwhile the weights of C5 are read, for what comes next.
__device__ inline void output_and_back(Memory& m, const Turn& turn, int loss, int label, float one_over_batch,
                                       float4 (&c5_weight)[C5_SLICE]) {
    constexpr int UNITS = (F6_UNITS + F6_SLICES - 1) / F6_SLICES;
    const int t = anew(threadIdx.x), rank = anew(turn.rank), warp = t / WARP;
    if (warp < HEAD_WARPS) head(m, turn, loss, label, one_over_batch, warp, t % WARP);
    const int own = t % OWN_C5, slice = t / OWN_C5;
    float weight[UNITS];
#pragma unroll
    for (int k = 0; k < UNITS; ++k) {
        const int unit = slice + k * F6_SLICES;
        weight[k] = m.own.f6_weight[(unit < F6_UNITS ? unit : F6_UNITS - 1) * F6_STRIDE + own];
    }
    const int item = at_most(t, C5_ITEMS - 1);
    const float4* c5 = reinterpret_cast<const float4*>(m.own.c5_weight) + item / C5_QUADS * C5_SLICE * C5_QUADS + item % C5_QUADS;
#pragma unroll
    for (int k = 0; k < C5_SLICE; ++k) c5_weight[k] = c5[k * C5_QUADS];
    if (warp >= HEAD_WARPS) workers_wait();
    if (slice < F6_SLICES) {
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < UNITS; ++k) {
            const int unit = slice + k * F6_SLICES;
            if (unit < F6_UNITS) sum += weight[k] * m.d_f6[unit];
        }
        m.scratch[t] = sum;
    }
    workers_wait();
    if (t < OWN_C5) {
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < F6_SLICES; ++k) sum += m.scratch[k * OWN_C5 + t];
        sum *= squash_slope(m.c5[t]);
        const unsigned at = address_of(m.d_c5 + rank * OWN_C5 + t);
#pragma unroll
        for (int block = 0; block < CLUSTER; ++block)
            store_async(remote(at, block), sum, remote(mail_of(m, MAIL_D_C5), block));
    }
    MARK(12);  // d of C5 sent
}

// Back through C5, to the own inputs: sum over j of weight[j, i] * d[C5][j], in slices of ten or twelve units
__device__ inline void backward_c5(Memory& m, const Turn& turn, const float4 (&weight)[C5_SLICE]) {
    const int t = anew(threadIdx.x), item = at_most(t, C5_ITEMS - 1), quad = item % C5_QUADS, slice = item / C5_QUADS;
    wait_for(m, MAIL_D_C5, turn.parity);
    MARK(13);  // d of C5 there
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
    for (int k = 0; k < C5_SLICE; k += 2) {
        const float2 two = *reinterpret_cast<const float2*>(m.d_c5 + slice * C5_SLICE + k);
        const float d[2] = {two.x, two.y};
#pragma unroll
        for (int j = 0; j < 2; ++j) {
            sum.x += weight[k + j].x * d[j];
            sum.y += weight[k + j].y * d[j];
            sum.z += weight[k + j].z * d[j];
            sum.w += weight[k + j].w * d[j];
        }
    }
    if (t < C5_ITEMS) *reinterpret_cast<float4*>(m.scratch + C5_SUMS + slice * C5_STRIDE + 4 * quad) = sum;
}

// S4, and C3's squashing. With z = sum of the 2x2 units of C3, a = coefficient * z + bias:
//   d = f'(a) * (what C5 sends back)      dE/dcoefficient = sum of d * z      dE/dbias = sum of d
//   C3: d = f'(a) * coefficient * d[S4]   dE/dbias = sum of d
//
// By the last warps, a map each, a lane a unit. What it contributes to the three sums stays in its registers.
__device__ inline void backward_s4(Memory& m, const Turn& turn, float (&sums)[4]) {
    const int t = anew(threadIdx.x), map = t / WARP - (WARPS - MOST_MAPS), lane = t % WARP;
    if (map < 0 || map >= PARTITION.maps[turn.rank] || lane >= S4_AREA) return;
    const float* slices = m.scratch + C5_SUMS + map * S4_AREA + lane;
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < C5_SLICES; ++k) sum += slices[k * C5_STRIDE];
    float2* top = reinterpret_cast<float2*>(
        m.c3 + map * C3_MAP + (ZERO_ROWS + 2 * (lane / S4_SIZE)) * C3_STRIDE + 2 * (lane % S4_SIZE));
    float2* bottom = top + C3_STRIDE / 2;
    const float2 y0 = *top, y1 = *bottom;
    const float d = sum * squash_slope(m.s4[map * S4_AREA + lane]), back = d * m.own.c3_rest[COEFFICIENT_S4 + map];
    const float2 d0 = make_float2(back * squash_slope(y0.x), back * squash_slope(y0.y));
    const float2 d1 = make_float2(back * squash_slope(y1.x), back * squash_slope(y1.y));
    *top = d0;
    *bottom = d1;
    sums[0] = (d0.x + d0.y) + (d1.x + d1.y);
    sums[1] = d * (y0.x + y0.y + y1.x + y1.y);
    sums[2] = d;
}

// C3's inputs: sum over the pairs (o, i), and u, v, of weight[pair, u, v] * d[C3][o, r - u, c - v], to the block that has
// the place
//
// A lane takes a row of an S2 map from one pair: a row of C3's d (10) times a row of the kernel (5) falls on 14 sums. If
// the warp's two pairs read the same map, one sum is sent.
__device__ inline void backward_c3_inputs(Memory& m, const Turn& turn) {
    const int t = anew(threadIdx.x), rank = anew(turn.rank), warp = t / WARP, lane = t % WARP;
    if (warp >= PAIR_WARPS) return;
    const bool second = lane >= S2_SIZE;
    const int row = lane % S2_SIZE, q = 2 * warp + (second ? 1 : 0);
    const bool active = lane < 2 * S2_SIZE && q < OWN_PAIRS;
    float sum[S2_SIZE] = {};
    if (active) {
        const float* d_row = m.c3 + PARTITION.map[rank][q] * C3_MAP + (row + ZERO_ROWS) * C3_STRIDE;
        float weight[KERNEL_STRIDE];
        load_kernel(m.own.c3_weight + q * KERNEL_STRIDE, weight);
#pragma unroll
        for (int u = 0; u < KERNEL; ++u) {
            float d[C3_SIZE];
            load_row(d_row - u * C3_STRIDE, d);
#pragma unroll
            for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                for (int s = 0; s < C3_SIZE; ++s) sum[s + v] += weight[u * KERNEL + v] * d[s];
        }
    }
    const bool joined = PARTITION.joined[rank][warp];  // the same for the whole warp
    if (joined)
#pragma unroll
        for (int c = 0; c < S2_SIZE; ++c) {
            const float other = __shfl_sync(0xffffffffu, sum[c], (lane + S2_SIZE) % WARP);
            if (!second) sum[c] += other;
        }
    if (!active || (joined && second)) return;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const int half_row = 2 * row + h, block = owner_of(half_row);
        const unsigned to = remote(
            address_of(m.s2_back + PARTITION.slot[rank][q] * BACK_SLOT + (half_row - first_half_row(block)) * BACK), block);
        const unsigned mail = remote(mail_of(m, MAIL_BACK), block);
        const float* half = sum + h * HALF;
        store_async(to, make_float4(half[0], half[1], half[2], half[3]), mail);
        store_async(to + 16, make_float4(half[4], half[5], half[6], 0.0f), mail);
    }
}

// C3's weights: dE/dweight[pair(o, i), u, v] = sum over r, s of d[o, r, s] * S2[i, r + u, s + v]
//
// A thread takes a row u of a pair's kernel over two rows of the map; where there are warps that took no pair before, they
// do this meanwhile.
__device__ inline void backward_c3_weights(Memory& m, const Turn& turn) {
    constexpr int FIRST = WARPS > PAIR_WARPS ? PAIR_WARPS * WARP : 0, ROWS = C3_SIZE / C3_PARTS;
    constexpr int ITEMS = C3_PARTS * OWN_PAIRS * KERNEL, COUNT = THREADS - FIRST;
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    if (t < FIRST) return;
#pragma unroll 1
    for (int item = t - FIRST; item < ITEMS; item += COUNT) {
        const int u = item % KERNEL, q = item / KERNEL % OWN_PAIRS, part = item / (KERNEL * OWN_PAIRS);
        const float* d_row = m.c3 + PARTITION.map[rank][q] * C3_MAP + (part * ROWS + ZERO_ROWS) * C3_STRIDE;
        const float* s2_row = m.s2 + PARTITION.input[rank][q] * S2_MAP + (part * ROWS + u) * S2_STRIDE;
        float g[KERNEL] = {};
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            float d[C3_SIZE], y[S2_SIZE];
            load_row(d_row + r * C3_STRIDE, d);
            load_row(s2_row + r * S2_STRIDE, y);
#pragma unroll
            for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                for (int s = 0; s < C3_SIZE; ++s) g[v] += d[s] * y[s + v];
        }
#pragma unroll
        for (int v = 0; v < KERNEL; ++v) m.scratch[item * KERNEL + v] = g[v];  // [parts][pairs][25]
    }
}

// The parts of C3's weights are added; and by the last warps the lanes' sums of C3's biases and of S4.
template <class Sink>
__device__ inline void add_c3_parts(Memory& m, const Turn& turn, float (&s4_sums)[4], Sink& sink) {
    constexpr int ROUNDS = (C3_KERNELS + THREADS - 1) / THREADS;
    const int t = anew(threadIdx.x), rank = anew(turn.rank), lane = t % WARP, map = t / WARP - (WARPS - MOST_MAPS);
#pragma unroll
    for (int k = 0; k < ROUNDS; ++k) {
        const int place = t + k * THREADS;
        if (place < C3_KERNELS) {
            float sum = 0.0f;
#pragma unroll
            for (int part = 0; part < C3_PARTS; ++part) sum += m.scratch[part * C3_KERNELS + place];
            sink.c3(m, rank, place, sum);
        }
    }
    if (map < 0 || map >= PARTITION.maps[rank]) return;
    const float sum = sums_of_lanes<4>(s4_sums);
    if (lane < 3) sink.c3(m, rank, C3_KERNELS + lane * MOST_MAPS + map, sum);
}

// S2, and C1's squashing: as S4, for the own places of each map. C1's d overwrites C1's y.
//
// Two warps take a map, half of its places each; if there are too few, some take one alone.
constexpr int SINGLES = 2 * S2_MAPS > WARPS ? 2 * S2_MAPS - WARPS : 0;  // maps that one warp takes
__device__ inline void backward_s2(Memory& m, const Turn& turn, float (&sums)[4]) {
    const int t = anew(threadIdx.x), rank = anew(turn.rank), warp = t / WARP, lane = t % WARP;
    const bool alone = warp < SINGLES;
    const int map = alone ? warp : SINGLES + (warp - SINGLES) / 2;
    if (map >= S2_MAPS) return;
    const int places = own_half_rows(rank) * HALF, half = (places + 1) / 2;
    const int begin = !alone && (warp - SINGLES) % 2 == 1 ? half : 0, end = alone || begin > 0 ? places : half;
    const float coefficient = m.own.c1_rest[COEFFICIENT_S2 + map];
#pragma unroll
    for (int round = 0; round < 2; ++round) {
        const int spot = begin + lane + round * WARP, place = first_half_row(rank) * HALF + spot;
        if (spot >= end) continue;
        const float* back = m.s2_back + map * MOST_SLOTS * BACK_SLOT + spot / HALF * BACK + spot % HALF;
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < MOST_SLOTS; ++k) sum += back[k * BACK_SLOT];
        float2* top =
            reinterpret_cast<float2*>(m.c1 + (map * HALF_ROWS + spot / HALF) * C1_STRIDE + 2 * (spot % HALF));
        float2* bottom = top + C1_SECOND / 2;
        const float2 y0 = *top, y1 = *bottom;
        const float y = m.s2[map * S2_MAP + place / S2_SIZE * S2_STRIDE + place % S2_SIZE];
        const float d = sum * squash_slope(y), to_c1 = d * coefficient;
        const float2 d0 = make_float2(to_c1 * squash_slope(y0.x), to_c1 * squash_slope(y0.y));
        const float2 d1 = make_float2(to_c1 * squash_slope(y1.x), to_c1 * squash_slope(y1.y));
        *top = d0;
        *bottom = d1;
        sums[0] += (d0.x + d0.y) + (d1.x + d1.y);
        sums[1] += d * (y0.x + y0.y + y1.x + y1.y);
        sums[2] += d;
    }
}

// C1's weights: dE/dweight[o, u, v] = sum over r, s of d[o, r, s] * x[r + u, s + v]
//
// A thread takes a row u of a kernel over a half row of S2's places, which stands on two rows of 14 in C1. Neighbouring
// threads take every other half row, which look at different rows of the input.
__device__ inline int half_row_of(int k) {
    constexpr int EVEN = (HALF_ROWS + 1) / 2;
    return k < EVEN ? 2 * k : 2 * (k - EVEN) + 1;
}
__device__ inline void backward_c1_weights(Memory& m, const float* x, const Turn& turn, float (&s2_sums)[4]) {
    constexpr int COLUMNS = 2 * HALF, ITEMS = C1_MAPS * HALF_ROWS * KERNEL;
    const int t = anew(threadIdx.x), rank = anew(turn.rank);
    const int u = t % KERNEL, local = half_row_of(t / KERNEL % HALF_ROWS), half_row = first_half_row(rank) + local;
    if (t < ITEMS && local < own_half_rows(rank)) {
        const float* d_row = m.c1 + (t / (KERNEL * HALF_ROWS) * HALF_ROWS + local) * C1_STRIDE;
        float sum[KERNEL] = {};
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            float d[COLUMNS], in[COLUMNS + KERNEL - 1];
            load_row(d_row + row * C1_SECOND, d);
            load_row(x + (half_row / 2 * 2 + row + u - first_row(rank)) * X_STRIDE + half_row % 2 * COLUMNS, in);
#pragma unroll
            for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                for (int s = 0; s < COLUMNS; ++s) sum[v] += d[s] * in[s + v];
        }
#pragma unroll
        for (int v = 0; v < KERNEL; ++v) m.scratch[t * KERNEL + v] = sum[v];
    }
    const float sum = sums_of_lanes<4>(s2_sums);
    if (t % WARP < 3) m.scratch[C1_SUMS + t / WARP * 4 + t % WARP] = sum;
}

// What this block's places contribute to parameter `place` of the 168 of C1 and S2.
__device__ inline float c1_sum(const Memory& m, int rank, int place) {
    if (place < C1_MAPS * TAPS) {
        const int map = place / TAPS, tap = place % TAPS;
        const float* row = m.scratch + map * HALF_ROWS * TAPS + tap;
        const int rows = own_half_rows(rank);
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < HALF_ROWS; ++k)
            if (half_row_of(k) < rows) sum += row[k * TAPS];
        return sum;
    }
    const int which = (place - C1_MAPS * TAPS) / C1_MAPS, map = (place - C1_MAPS * TAPS) % C1_MAPS;
    const float* warp = m.scratch + C1_SUMS + (map < SINGLES ? map : 2 * map - SINGLES) * 4 + which;
    return map < SINGLES ? warp[0] : warp[0] + warp[4];
}

// What is due in this turn, by one thread. `c1_bytes`: as the kernel shares out the gradients of C1 and S2.
__device__ inline void expect_mail(Memory& m, int rank, int c1_bytes) {
    constexpr int FLOAT = sizeof(float);
    mbarrier_expect(mail_of(m, MAIL_S2), S2_MAPS * S2_AREA * FLOAT);
    mbarrier_expect(mail_of(m, MAIL_C5), CLUSTER * OWN_C5 * FLOAT);
    mbarrier_expect(mail_of(m, MAIL_F6), CLUSTER * F6_UNITS * FLOAT);
    mbarrier_expect(mail_of(m, MAIL_D_C5), C5_UNITS * FLOAT);
    mbarrier_expect(mail_of(m, MAIL_BACK), SLOTS * BACK * FLOAT * own_half_rows(rank));
    mbarrier_expect(mail_of(m, MAIL_C1), c1_bytes);
}

// One image by the workers, all but the last exchange: the gradients of C1 and S2 are left to `c1_sum` of 168 threads.
// `x`: the input, there before the last barrier. The sink also says what happens before S2's outputs are sent, before
// C5's weights are read (`need_dense`), and when the weights of C5, F6 and output have been read for the last time and
// the record is complete (`dense_done`).
template <class Sink>
__device__ inline void work_on_image(Memory& m, const float* x, const Turn& turn, int loss, int label, float one_over_batch,
                                     int c1_bytes, Sink& sink) {
    if (threadIdx.x == THREADS - 1) expect_mail(m, turn.rank, c1_bytes);  // its warp has least to do
    MARK(1);  // mail
    forward_c1_s2(m, x, turn, sink);
    MARK(2);  // C1, S2 sent
    forward_c3_pairs(m, turn);
    sink.need_dense(m, turn);
    workers_wait();
    MARK(4);  // C3
    forward_s4_c5(m, turn);
    MARK(6);  // C5 sent
    forward_c5_f6(m, turn);
    MARK(9);  // F6 sent
    float4 c5_weight[C5_SLICE];
    output_and_back(m, turn, loss, label, one_over_batch, c5_weight);
    backward_c5(m, turn, c5_weight);
    workers_wait();
    MARK(14);  // back through C5
    sink.dense_done(m, turn);
    float s4_sums[4] = {}, s2_sums[4] = {};
    backward_s4(m, turn, s4_sums);
    workers_wait();
    MARK(15);  // S4
    backward_c3_inputs(m, turn);
    MARK(16);  // C3 to its inputs
    backward_c3_weights(m, turn);
    workers_wait();
    MARK(17);  // C3's weights
    add_c3_parts(m, turn, s4_sums, sink);
    wait_for(m, MAIL_BACK, turn.parity);
    MARK(18);  // S2's share there
    backward_s2(m, turn, s2_sums);
    workers_wait();
    MARK(19);  // S2
    backward_c1_weights(m, x, turn, s2_sums);
    workers_wait();
    MARK(20);  // C1's weights
}
