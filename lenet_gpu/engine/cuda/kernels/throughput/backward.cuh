// The backward pass of two images by one thread block: from the labels to what the update kernel adds up.
//
// E is the loss of the batch, d stands for dE/da, the derivative by a unit's weighted sum a (before squashing).
#include "throughput/dense.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

// C5: d = f'(a) * (what F6 sends back)
__device__ inline void backward_c5(Memory& m) {
    const int thread = thread_of_block(), image = thread / C5_UNITS, unit = thread % C5_UNITS;
    if (image < IMAGES_A_GROUP)
        m.d_c5[unit][image] =
            sum_of_slices<C5_UNITS, F6_SLICES>(m.scratch, image, unit) * squash_slope(m.c5[image][unit]);
}

// The factors of the dense layers' gradients are complete: the records of the first `present` images.
__device__ inline void write_records(int present, float* __restrict__ records, const Memory& m) {
    const int thread = thread_of_block();
    const auto copy = [&](const float* from, int quads, int field) {
        if (thread >= quads * present) return;
        const int image = thread / quads, quad = thread % quads;
        reinterpret_cast<float4*>(records + image * RECORD + field)[quad] =
            reinterpret_cast<const float4*>(from)[image * quads + quad];
    };
    copy(m.s4[0], S4_UNITS / 4, RECORD_S4);
    copy(m.c5[0], C5_UNITS / 4, RECORD_C5);
    copy(m.f6[0], F6_UNITS / 4, RECORD_F6);
    const auto turn_over = [&](const auto& d, int units, int field) {
        const int image = thread / units, unit = thread % units;
        if (image < present) records[image * RECORD + field + unit] = d[unit][image];
    };
    turn_over(m.d_c5, C5_UNITS, RECORD_D_C5);
    turn_over(m.d_f6, F6_UNITS, RECORD_D_F6);
    if (const int image = thread / CLASSES, j = thread % CLASSES; image < present)
        records[image * RECORD + RECORD_D_OUTPUT + j] = m.d_output[image][j];
    if (thread < present) {
        records[thread * RECORD + RECORD_LOSS] = m.loss[thread];
        records[thread * RECORD + RECORD_CORRECT] = m.correct[thread];
    }
}
static_assert(S4_UNITS / 4 * IMAGES_A_GROUP <= THREADS && C5_UNITS * IMAGES_A_GROUP <= THREADS &&
              CLASSES * IMAGES_A_GROUP <= THREADS, "one turn of the block for each field");

// S4, and C3's squashing. With z = sum of the 2x2 units of C3, a = coefficient * z + bias:
//   d = f'(a) * (what C5 sends back)      dE/dcoefficient = sum of d * z      dE/dbias = sum of d
//   C3: d = f'(a) * coefficient * d[S4]   dE/dbias = sum of d
//
// A warp takes a map, a lane one of its 25 units, of both images. C3's d overwrites C3's y.
__device__ inline void backward_s4(float* __restrict__ group, Memory& m) {
    const int thread = thread_of_block(), lane = thread % WARP;
#pragma unroll 1
    for (int map = thread / WARP; map < S4_MAPS; map += WARPS) {
        float g_coefficient = 0.0f, g_bias = 0.0f, g_c3_bias = 0.0f;
        if (lane < S4_AREA) {
            const int unit = map * S4_AREA + lane;
            const float coefficient = m.s4_coefficient[map];
#pragma unroll
            for (int image = 0; image < IMAGES_A_GROUP; ++image) {
                float2* top = reinterpret_cast<float2*>(
                    m.image[image].c3 + map * C3_MAP + 2 * (lane / S4_SIZE) * C3_SIZE + 2 * (lane % S4_SIZE));
                float2* bottom = top + C3_SIZE / 2;
                const float2 y0 = *top, y1 = *bottom;
                const float back_from_c5 = sum_of_slices<S4_UNITS, C5_SLICES>(m.scratch, image, unit);
                const float d = back_from_c5 * squash_slope(m.s4[image][unit]);
                g_coefficient += d * (y0.x + y0.y + y1.x + y1.y);
                g_bias += d;
                const float back = d * coefficient;
                const float2 d0 = make_float2(back * squash_slope(y0.x), back * squash_slope(y0.y));
                const float2 d1 = make_float2(back * squash_slope(y1.x), back * squash_slope(y1.y));
                *top = d0;
                *bottom = d1;
                g_c3_bias += (d0.x + d0.y) + (d1.x + d1.y);
            }
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

// ---- C3: a warp takes an S2 map, and the ten C3 maps that it feeds, without a barrier between inputs and weights

// C3's inputs, and S2's squashing:
//   d[S2][i, r, c] = f'(a) * sum over the pairs (o, i), and u, v, of weight[pair, u, v] * d[C3][o, r - u, c - v]
//
// A lane takes two neighbouring rows of the map, and five of the ten pairs: lane = 16 half + 7 image + pair of rows. So
// all lanes of a half need the same kernel, which takes a single request, and their rows of d lie in different banks.
// Six rows of d (10) times the kernel (25, in registers) fall on two rows of 14 sums: 500 products for 37 loads. A row
// beyond the map is the row of zeros, which costs less than to let the lanes part. The result goes to `scratch`,
// [image][map][196].
__device__ inline void backward_c3_inputs(int map, Memory& m) {
    constexpr int ROW_PAIRS = S2_SIZE / 2, HALF = WARP / 2, PAIRS_A_LANE = FEEDS / 2;
    static_assert(IMAGES_A_GROUP * ROW_PAIRS <= HALF && KERNEL + 1 == 6, "14 of 16 lanes");
    const int lane = thread_of_block() % WARP, half = lane / HALF, place = lane % HALF;
    const bool active = place < IMAGES_A_GROUP * ROW_PAIRS;
    const int number = active ? place / ROW_PAIRS : 0, row = place % ROW_PAIRS * 2;
    TrainedImage& image = m.image[number];
    float sum[2][S2_SIZE] = {};
#pragma unroll 1
    for (int k = half * PAIRS_A_LANE; k < (half + 1) * PAIRS_A_LANE; ++k) {
        const int pair = PAIRS.feeds[map][k];
        const float* d_map = image.c3 + PAIRS.output[pair] * C3_MAP;
        float weight[KERNEL_STRIDE];
        load_kernel(m.c3_weight + pair * KERNEL_STRIDE, weight);
#pragma unroll
        for (int i = 0; i <= KERNEL; ++i) {  // row i of the kernel for the lower row of sums, row i - 1 for the upper one
            const int r = row + 1 - i;
            float d[C3_SIZE];
            load_row(r >= 0 && r < C3_SIZE ? d_map + r * C3_SIZE : m.zeros, d);
#pragma unroll
            for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                for (int s = 0; s < C3_SIZE; ++s) {
                    if (i > 0) sum[0][s + v] += weight[(i - 1) * KERNEL + v] * d[s];
                    if (i < KERNEL) sum[1][s + v] += weight[i * KERNEL + v] * d[s];
                }
        }
    }
    // Each half finishes one of the two rows.
    float total[S2_SIZE];
#pragma unroll
    for (int c = 0; c < S2_SIZE; ++c) {
        const float keep = half == 0 ? sum[0][c] : sum[1][c], give = half == 0 ? sum[1][c] : sum[0][c];
        total[c] = keep + __shfl_xor_sync(0xffffffffu, give, HALF);
    }
    if (!active) return;
    const float2* y = reinterpret_cast<const float2*>(image.s2 + map * S2_MAP + (row + half) * S2_STRIDE);
    float2* out = reinterpret_cast<float2*>(m.scratch + (number * S2_MAPS + map) * S2_AREA + (row + half) * S2_SIZE);
#pragma unroll
    for (int c = 0; c < S2_SIZE / 2; ++c) {
        const float2 two = y[c];
        out[c] = make_float2(total[2 * c] * squash_slope(two.x), total[2 * c + 1] * squash_slope(two.y));
    }
}

// C3's weights: dE/dweight[pair(o, i), u, v] = sum over r, s of d[o, r, s] * S2[i, r + u, s + v]
//
// A warp takes six of the 60 pairs, in the order of the S2 maps, a lane two rows of d of one pair, of both images: lane =
// 16 half + 5 pair + pair of rows. Two rows of d (10 each) and six rows of S2 (14 each) serve 500 products. The three
// pairs of a half read one S2 map, or two neighbouring ones, whose rows lie in different banks.
constexpr int C3_WEIGHT_TASKS = 10;
__device__ inline void backward_c3_weights(int task, float* __restrict__ group, const Memory& m) {
    constexpr int PAIRS_A_HALF = 3, ROW_PAIRS = C3_SIZE / 2, LANES = PAIRS_A_HALF * ROW_PAIRS, HALF = WARP / 2;
    static_assert(C3_WEIGHT_TASKS * 2 * PAIRS_A_HALF == C3_PAIRS && LANES <= HALF, "every pair once");
    const int lane = thread_of_block() % WARP, place = lane % HALF, row = place % ROW_PAIRS * 2;
    const bool active = place < LANES;  // the others take part in the exchanges
    const int number = (task * 2 + lane / HALF) * PAIRS_A_HALF + (active ? place / ROW_PAIRS : 0);
    const int map = number / FEEDS, pair = PAIRS.feeds[map][number % FEEDS], output = PAIRS.output[pair];
    float g[TAPS] = {};
    if (active) {
#pragma unroll 1
        for (int image = 0; image < IMAGES_A_GROUP; ++image) {
            const float* d_map = m.image[image].c3 + output * C3_MAP + row * C3_SIZE;
            const float* s2_map = m.image[image].s2 + map * S2_MAP + row * S2_STRIDE;
            float upper[C3_SIZE], lower[C3_SIZE];
            load_row(d_map, upper);
            load_row(d_map + C3_SIZE, lower);
#pragma unroll
            for (int u = 0; u <= KERNEL; ++u) {
                float y[S2_SIZE];
                load_row(s2_map + u * S2_STRIDE, y);
#pragma unroll
                for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                    for (int s = 0; s < C3_SIZE; ++s) {
                        if (u < KERNEL) g[u * KERNEL + v] += upper[s] * y[s + v];
                        if (u > 0) g[(u - 1) * KERNEL + v] += lower[s] * y[s + v];
                    }
            }
        }
    }
    float* out = group + C3_WEIGHT + pair * TAPS;
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) {  // five neighbouring lanes' sums
        const float two = g[tap] + __shfl_down_sync(0xffffffffu, g[tap], 1);
        const float four = two + __shfl_down_sync(0xffffffffu, two, 2);
        const float five = four + __shfl_down_sync(0xffffffffu, g[tap], 4);
        if (active && row == 0) out[tap] = five;
    }
}

// 2,500 products a lane for the inputs of a map, 1,000 for six pairs' weights. The schedulers of a multiprocessor, of
// which each has every fourth warp, get 6,000 or 6,500.
__device__ inline void backward_c3(float* __restrict__ group, Memory& m) {
    constexpr int MORE = 3;
    static_assert(WARPS == 8 && S2_MAPS == 6 && C3_WEIGHT_TASKS == 4 + (WARPS - S2_MAPS) * MORE, "every task once");
    const int warp = warp_for_tasks();
    if (warp < S2_MAPS) backward_c3_inputs(warp, m);
    const int first = warp < 4 ? warp : 4 + (warp - S2_MAPS) * MORE;
    const int tasks = warp < 4 ? 1 : (warp < S2_MAPS ? 0 : MORE);
#pragma unroll 1
    for (int task = first; task < first + tasks; ++task) backward_c3_weights(task, group, m);
}

// ---- S2 and C1: 24 tasks, three turns of the warps; their partial sums are added afterwards

constexpr int TASKS_A_MAP = S2_TASKS / S2_MAPS;

// S2, and C1's squashing: as S4. C1's d overwrites C1's y. A task is an image and every other pair of rows of S2.
__device__ inline void backward_s2(Memory& m) {
    const int thread = thread_of_block(), lane = thread % WARP;
#pragma unroll 1
    for (int task = thread / WARP; task < S2_TASKS; task += WARPS) {
        const int map = task / TASKS_A_MAP, number = task / 2 % 2, half = task % 2;
        const float coefficient = m.s2_coefficient[map];
        float g_coefficient = 0.0f, g_bias = 0.0f, g_c1_bias = 0.0f;
        if (lane < 2 * S2_SIZE) {
            const int first_row = 2 * half + lane / S2_SIZE, column = lane % S2_SIZE;
            float* corner = m.image[number].c1 + map * C1_MAP + 2 * first_row * C1_STRIDE + 2 * column;
            const float* d_s2 = m.scratch + (number * S2_MAPS + map) * S2_AREA + 2 * half * S2_SIZE + lane;
#pragma unroll
            for (int turn = 0; turn < 4; ++turn) {  // every fourth row
                if (turn == 3 && half == 1) break;  // there are 14
                float2* top = reinterpret_cast<float2*>(corner + turn * 8 * C1_STRIDE);
                float2* bottom = top + C1_STRIDE / 2;
                const float2 y0 = *top, y1 = *bottom;
                const float d = d_s2[turn * 4 * S2_SIZE];
                g_coefficient += d * (y0.x + y0.y + y1.x + y1.y);
                g_bias += d;
                const float back = d * coefficient;
                const float2 d0 = make_float2(back * squash_slope(y0.x), back * squash_slope(y0.y));
                const float2 d1 = make_float2(back * squash_slope(y1.x), back * squash_slope(y1.y));
                *top = d0;
                *bottom = d1;
                g_c1_bias += (d0.x + d0.y) + (d1.x + d1.y);
            }
        }
        g_coefficient = warp_sum(g_coefficient);
        g_bias = warp_sum(g_bias);
        g_c1_bias = warp_sum(g_c1_bias);
        if (lane == 0) {
            float* out = m.scratch + S2_SUMS + task * 4;
            out[0] = g_coefficient;
            out[1] = g_bias;
            out[2] = g_c1_bias;
        }
    }
}

// C1's weights: dE/dweight[o, u, v] = sum over r, s of d[o, r, s] * x[r + u, s + v]
//
// A warp takes an image, a half of the columns, and two or three rows of the kernel, of two maps at a time; a lane takes
// a row of the maps: 14 values of d of each map, and two or three rows of 18 inputs, which serve both maps, in registers
// are good for 280 or 420 products. The rows are added by the lanes. Which warp takes two and which three rows of the
// kernel changes from turn to turn.
constexpr int UPPER_ROWS = 2, LOWER_ROWS = KERNEL - UPPER_ROWS, MAPS_A_TURN = 2;
constexpr int MAP_SUMS = WARP / MAPS_A_TURN;  // 10 or 15 of a map, padded
__device__ inline void backward_c1_weights(Memory& m) {
    constexpr int COLUMNS = C1_SIZE / 2;
    static_assert(WARPS == 2 * 2 * IMAGES_A_GROUP && C1_TASKS == C1_MAPS / MAPS_A_TURN * WARPS, "all warps, every turn");
    const int thread = thread_of_block(), warp = thread / WARP, r = thread % WARP;
    const int number = warp / 4, half = warp / 2 % 2;
#pragma unroll 1
    for (int turn = 0; turn < C1_MAPS / MAPS_A_TURN; ++turn) {
        const int lower = (warp + turn) % 2;  // the lower three rows of the kernel, or the upper two
        float g[WARP] = {};
        if (r < C1_SIZE) {
            const TrainedImage& image = m.image[number];
            const float* d_row = image.c1 + turn * MAPS_A_TURN * C1_MAP + r * C1_STRIDE + half * COLUMNS;
            const float* x_row = image.x + (r + UPPER_ROWS * lower) * X_STRIDE + half * COLUMNS;
            float d[MAPS_A_TURN][COLUMNS];
#pragma unroll
            for (int map = 0; map < MAPS_A_TURN; ++map) load_row(d_row + map * C1_MAP, d[map]);
#pragma unroll
            for (int u = 0; u < LOWER_ROWS; ++u) {
                if (u == UPPER_ROWS && lower == 0) break;
                float x[COLUMNS + KERNEL - 1];
                load_row(x_row + u * X_STRIDE, x);
#pragma unroll
                for (int map = 0; map < MAPS_A_TURN; ++map)
#pragma unroll
                    for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                        for (int s = 0; s < COLUMNS; ++s)
                            g[map * MAP_SUMS + u * KERNEL + v] += d[map][s] * x[s + v];
            }
        }
        m.scratch[C1_SUMS + (((turn * IMAGES_A_GROUP + number) * 2 + half) * 2 + lower) * WARP + r] = warp_sums(g);
    }
}

// The gradients of C1 and S2 from their tasks' sums.
__device__ inline void add_tasks(float* __restrict__ group, const Memory& m) {
    const int k = thread_of_block();
    if (k < C1_MAPS * TAPS) {
        const int map = k / TAPS, tap = k % TAPS, lower = tap >= UPPER_ROWS * KERNEL;
        const float* task = m.scratch + C1_SUMS + (map / MAPS_A_TURN * WARPS + lower) * WARP +
                            map % MAPS_A_TURN * MAP_SUMS + tap - UPPER_ROWS * KERNEL * lower;
        group[C1_WEIGHT + k] = (task[0] + task[2 * WARP]) + (task[4 * WARP] + task[6 * WARP]);
    } else if (k < C1_MAPS * TAPS + 3 * S2_MAPS) {
        const int map = (k - C1_MAPS * TAPS) % S2_MAPS, which = (k - C1_MAPS * TAPS) / S2_MAPS;
        const float* task = m.scratch + S2_SUMS + map * TASKS_A_MAP * 4 + which;
        const int gradient = which == 0 ? S2_COEFFICIENT : (which == 1 ? S2_BIAS : C1_BIAS);
        group[gradient + map] = (task[0] + task[4]) + (task[8] + task[12]);
    }
}
static_assert(C1_MAPS * TAPS + 3 * S2_MAPS <= THREADS, "one turn of the block");
