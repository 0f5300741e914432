// The forward pass of a few images by one thread block: pixels to the scores of the classes, all in shared memory.
#include "patch.cuh"
#include "throughput/dense.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

// A block copies the weights of C1 to S4, and of the output, to shared memory once. Those of C5 and F6 are read from the
// second-level cache.
__device__ inline void load_weights(const float* __restrict__ parameters, Weights& m) {
    const int thread = thread_of_block();
    // The last three floats of each kernel are padding that is read (as part of a float4) but never used.
    for (int k = thread; k < C1_MAPS * KERNEL_STRIDE; k += THREADS) {
        const int tap = k % KERNEL_STRIDE;
        m.c1_weight[k] = tap < TAPS ? parameters[C1_WEIGHT + k / KERNEL_STRIDE * TAPS + tap] : 0.0f;
    }
    for (int k = thread; k < C3_PAIRS * KERNEL_STRIDE; k += THREADS) {
        const int tap = k % KERNEL_STRIDE;
        m.c3_weight[k] = tap < TAPS ? parameters[C3_WEIGHT + k / KERNEL_STRIDE * TAPS + tap] : 0.0f;
    }
    if (thread < C1_MAPS) {
        m.c1_bias[thread] = parameters[C1_BIAS + thread];
        m.s2_coefficient[thread] = parameters[S2_COEFFICIENT + thread];
        m.s2_bias[thread] = parameters[S2_BIAS + thread];
    }
    if (thread < C3_MAPS) {
        m.c3_bias[thread] = parameters[C3_BIAS + thread];
        m.s4_coefficient[thread] = parameters[S4_COEFFICIENT + thread];
        m.s4_bias[thread] = parameters[S4_BIAS + thread];
    }
    load_head(parameters, m);
}

// ---- Input layer: x = background + pixel * (ink - background) / 255, with a margin of two background pixels

constexpr int WORDS_A_ROW = IMAGE_SIZE / 4, WORDS = IMAGE_SIZE * WORDS_A_ROW;  // pixels are read four at a time

// The margin is written once: no image touches it.
template <class M>
__device__ inline void fill_margins(float background, M& m) {
    for (int k = thread_of_block(); k < M::IMAGES * INPUT_SIZE * INPUT_SIZE; k += THREADS) {
        const int row = k / INPUT_SIZE % INPUT_SIZE, column = k % INPUT_SIZE;
        const int r = row - MARGIN, c = column - MARGIN;
        if (r < 0 || r >= IMAGE_SIZE || c < 0 || c >= IMAGE_SIZE)
            m.image[k / (INPUT_SIZE * INPUT_SIZE)].x[row * X_STRIDE + column] = background;
    }
}

// Four neighbouring pixels of the word's place.
__device__ inline void store_pixels(unsigned four, int word, float background, float scale, float* x) {
    float2* to = reinterpret_cast<float2*>(
        x + (word / WORDS_A_ROW + MARGIN) * X_STRIDE + word % WORDS_A_ROW * 4 + MARGIN);
    to[0] = make_float2(background + scale * (four & 255), background + scale * (four >> 8 & 255));
    to[1] = make_float2(background + scale * (four >> 16 & 255), background + scale * (four >> 24));
}

// As correlate(), for the same kernel and the patches of two images.
__device__ inline void correlate_two(
    const float (&patch)[2][KERNEL + 1][KERNEL + 1], const float (&weight)[KERNEL_STRIDE], float (&a)[2][4]) {
#pragma unroll
    for (int u = 0; u < KERNEL; ++u)
#pragma unroll
        for (int v = 0; v < KERNEL; ++v) {
            const float w = weight[u * KERNEL + v];
#pragma unroll
            for (int k = 0; k < 2; ++k) {
                a[k][0] += w * patch[k][u][v];
                a[k][1] += w * patch[k][u][v + 1];
                a[k][2] += w * patch[k][u + 1][v];
                a[k][3] += w * patch[k][u + 1][v + 1];
            }
        }
}

// ---- C1 and S2
//
// C1: y[o, r, s] = f(bias[o] + sum over u, v of weight[o, u, v] * x[r + u, s + v])            6 maps of 28x28
// S2: y[o, r, s] = f(coefficient[o] * (sum of the 2x2 units of C1 below) + bias[o])           6 maps of 14x14

// The same unit of a map of S2, and the four of C1 below it, of two images: a weight that is read serves both.
template <bool KEEP, class Image>
__device__ inline void forward_s2_units(
    const float (&patch)[2][KERNEL + 1][KERNEL + 1], int map, int r, int c, const Weights& m, Image* images) {
    float weight[KERNEL_STRIDE];
    load_kernel(m.c1_weight + map * KERNEL_STRIDE, weight);
    const float bias = m.c1_bias[map];
    float a[2][4] = {{bias, bias, bias, bias}, {bias, bias, bias, bias}};
    correlate_two(patch, weight, a);
    const float coefficient = m.s2_coefficient[map], s2_bias = m.s2_bias[map];
#pragma unroll
    for (int k = 0; k < 2; ++k) {
        Image& image = images[k];
        float sum = 0.0f;
        if constexpr (KEEP) sum = squash_four(a[k], image.c1 + map * C1_MAP + 2 * r * C1_STRIDE + 2 * c, C1_STRIDE);
        else sum = squash(a[k][0]) + squash(a[k][1]) + squash(a[k][2]) + squash(a[k][3]);
        image.s2[map * S2_MAP + r * S2_STRIDE + c] = squash(coefficient * sum + s2_bias);
    }
}

// A thread takes the same unit of two images, and of two or three of the six S2 maps: two patches are loaded for 400 or
// 600 products. The few units that are left after whole turns of the block are taken one map a thread.
template <class M>
__device__ inline void forward_c1_s2(M& m) {
    constexpr int UNITS = M::IMAGES / 2 * S2_AREA;  // of a map, of every other image
    constexpr int MAPS_A_THREAD = C1_MAPS / 2 * UNITS % THREADS * 2 <= THREADS ? 2 : 3;
    constexpr int ITEMS = C1_MAPS / MAPS_A_THREAD * UNITS;
    constexpr int WHOLE = ITEMS / THREADS * THREADS, REST = (ITEMS - WHOLE) * MAPS_A_THREAD;
    static_assert(REST <= THREADS, "one turn for the rest");
    const int thread = thread_of_block();
#pragma unroll 1
    for (int turn = 0; turn < WHOLE / THREADS + 1; ++turn) {
        const bool whole = turn < WHOLE / THREADS;
        if (!whole && thread >= REST) return;
        const int item = whole ? turn * THREADS + thread : WHOLE + thread / MAPS_A_THREAD;
        const int unit = item % S2_AREA, r = unit / S2_SIZE, c = unit % S2_SIZE;
        const int first_map = item / UNITS * MAPS_A_THREAD;
        auto* images = m.image + item % UNITS / S2_AREA * 2;
        float patch[2][KERNEL + 1][KERNEL + 1];
#pragma unroll
        for (int k = 0; k < 2; ++k) load_patch(images[k].x + 2 * r * X_STRIDE + 2 * c, X_STRIDE, patch[k]);
        const int from = whole ? 0 : thread % MAPS_A_THREAD, to = whole ? MAPS_A_THREAD : from + 1;
#pragma unroll 1
        for (int k = from; k < to; ++k)
            forward_s2_units<M::KEEPS_CONVOLUTIONS>(patch, first_map + k, r, c, m, images);
    }
}

// ---- C3 and S4
//
// C3: y[o, r, s] = f(bias[o] + sum over the S2 maps i of Table I's row o, and u, v,
//                    of weight[pair(o, i), u, v] * S2[i, r + u, s + v])                       16 maps of 10x10
// S4: as S2                                                                                   16 maps of 5x5

// A lane takes a row of an S4 map and the two rows of a C3 map below it: six rows of S2 (14 each) and the kernel (25)
// serve 500 products. A warp takes a task, three C3 maps of two images: lane = 16 image + 5 place + row, where a place is
// that of a map in the task. The orders in which the maps take their S2 maps are such that in each turn the three places
// read at most an even and an odd one, whose rows lie in different banks. The map that all six S2 maps feed is a task of
// its own, of which each place takes two; the places' sums are added in the end.
constexpr int C3_TASKS = 6, PLACES = 3, MOST_TURNS = 4, SHARED_TASK = 5;
constexpr int TASK_MAPS[C3_TASKS][PLACES] = {{0, 1, 5}, {2, 3, 4}, {6, 7, 8}, {9, 10, 11}, {12, 13, 14}, {15, 15, 15}};
constexpr int TASK_INPUTS[C3_TASKS][PLACES][MOST_TURNS] = {
    {{0, 1, 2, NONE}, {3, 1, 2, NONE}, {0, 1, 5, NONE}},
    {{2, 3, 4, NONE}, {5, 3, 4, NONE}, {5, 0, 4, NONE}},
    {{0, 1, 2, 3}, {3, 1, 2, 4}, {3, 2, 5, 4}},
    {{0, 3, 4, 5}, {1, 0, 4, 5}, {1, 0, 5, 2}},
    {{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}},
    {{0, 1, NONE, NONE}, {3, 2, NONE, NONE}, {4, 5, NONE, NONE}},
};

// Two warps of four have a scheduler of the multiprocessor in common, if there are eight: what each warp does, such that
// the schedulers have about the same to do. An item is a task of a pair of images: task + C3_TASKS * pair of images.
constexpr int MOST_ITEMS = 2;
constexpr int ITEMS_OF_TWO[WARPS][MOST_ITEMS] = {
    {2, NONE}, {3, NONE}, {4, NONE}, {0, NONE}, {NONE, NONE}, {NONE, NONE}, {5, NONE}, {1, NONE}};
constexpr int ITEMS_OF_FOUR[WARPS][MOST_ITEMS] = {
    {2, 5}, {3, 11}, {4, NONE}, {8, NONE}, {9, NONE}, {10, NONE}, {0, 6}, {1, 7}};

struct Tasks {
    signed char map[C3_TASKS][PLACES], turns[C3_TASKS];
    signed char input[C3_TASKS][MOST_TURNS][PLACES], pair[C3_TASKS][MOST_TURNS][PLACES];
    signed char items[2][WARPS][MOST_ITEMS];  // of two images, of four
};

__device__ constexpr Tasks tasks_of_table() {
    Tasks tasks{};
    const Pairs pairs = pairs_of_table();
    for (int task = 0; task < C3_TASKS; ++task)
        for (int place = 0; place < PLACES; ++place) {
            const int map = TASK_MAPS[task][place];
            tasks.map[task][place] = static_cast<signed char>(map);
            for (int turn = 0; turn < MOST_TURNS && TASK_INPUTS[task][place][turn] != NONE; ++turn) {
                tasks.turns[task] = static_cast<signed char>(turn + 1);
                tasks.input[task][turn][place] = static_cast<signed char>(TASK_INPUTS[task][place][turn]);
                for (int pair = pairs.first[map]; pair < pairs.first[map + 1]; ++pair)
                    if (pairs.input[pair] == TASK_INPUTS[task][place][turn])
                        tasks.pair[task][turn][place] = static_cast<signed char>(pair);
            }
        }
    for (int warp = 0; warp < WARPS; ++warp)
        for (int k = 0; k < MOST_ITEMS; ++k) {
            tasks.items[0][warp][k] = static_cast<signed char>(ITEMS_OF_TWO[warp][k]);
            tasks.items[1][warp][k] = static_cast<signed char>(ITEMS_OF_FOUR[warp][k]);
        }
    return tasks;
}

__device__ constexpr bool tasks_are_whole() {
    const Tasks tasks = tasks_of_table();
    int met[C3_PAIRS] = {};
    for (int task = 0; task < C3_TASKS; ++task)
        for (int turn = 0; turn < tasks.turns[task]; ++turn)
            for (int place = 0; place < PLACES; ++place) ++met[static_cast<int>(tasks.pair[task][turn][place])];
    for (int pair = 0; pair < C3_PAIRS; ++pair)
        if (met[pair] != 1) return false;
    return true;
}
static_assert(tasks_are_whole(), "every pair once");

__constant__ const Tasks TASKS = tasks_of_table();

template <class M>
__device__ inline void forward_c3_s4(M& m) {
    constexpr int HALF = WARP / 2, LANES = PLACES * S4_SIZE;
    static_assert(M::IMAGES == 2 || M::IMAGES == 4, "as the items have it");
    const int warp = warp_for_tasks(), lane = thread_of_block() % WARP, half = lane / HALF;
    const bool active = lane % HALF < LANES;  // the others take part in the exchanges
    const int place = at_most(lane % HALF, LANES - 1) / S4_SIZE, row = at_most(lane % HALF, LANES - 1) % S4_SIZE;
#pragma unroll 1
    for (int k = 0; k < M::IMAGES / 2; ++k) {
        const int item = TASKS.items[M::IMAGES / 2 - 1][warp][k];
        if (item == NONE) break;
        const int task = item % C3_TASKS, number = item / C3_TASKS * 2 + half;
        auto& image = m.image[number];
        const int map = TASKS.map[task][place];
        const float bias = task == SHARED_TASK && place > 0 ? 0.0f : m.c3_bias[map];
        float a[2][C3_SIZE];
#pragma unroll
        for (int s = 0; s < C3_SIZE; ++s) a[0][s] = a[1][s] = bias;
#pragma unroll 1
        for (int turn = 0; turn < TASKS.turns[task]; ++turn) {
            const float* s2 = image.s2 + TASKS.input[task][turn][place] * S2_MAP + 2 * row * S2_STRIDE;
            float weight[KERNEL_STRIDE];
            load_kernel(m.c3_weight + TASKS.pair[task][turn][place] * KERNEL_STRIDE, weight);
#pragma unroll
            for (int u = 0; u <= KERNEL; ++u) {
                float y[S2_SIZE];
                load_row(s2 + u * S2_STRIDE, y);
#pragma unroll
                for (int v = 0; v < KERNEL; ++v)
#pragma unroll
                    for (int s = 0; s < C3_SIZE; ++s) {
                        if (u < KERNEL) a[0][s] += weight[u * KERNEL + v] * y[s + v];
                        if (u > 0) a[1][s] += weight[(u - 1) * KERNEL + v] * y[s + v];
                    }
            }
        }
        if (task == SHARED_TASK) {
#pragma unroll
            for (int s = 0; s < C3_SIZE; ++s)
#pragma unroll
                for (int r = 0; r < 2; ++r) {
                    const float second = __shfl_down_sync(0xffffffffu, a[r][s], S4_SIZE);
                    const float third = __shfl_down_sync(0xffffffffu, a[r][s], 2 * S4_SIZE);
                    a[r][s] += second + third;
                }
        }
        if (!active || (task == SHARED_TASK && place > 0)) continue;
        const float coefficient = m.s4_coefficient[map], s4_bias = m.s4_bias[map];
#pragma unroll
        for (int c = 0; c < S4_SIZE; ++c) {
            float four[4] = {a[0][2 * c], a[0][2 * c + 1], a[1][2 * c], a[1][2 * c + 1]}, sum = 0.0f;
            if constexpr (M::KEEPS_CONVOLUTIONS)
                sum = squash_four(four, image.c3 + map * C3_MAP + 2 * row * C3_SIZE + 2 * c, C3_SIZE);
            else sum = squash(four[0]) + squash(four[1]) + squash(four[2]) + squash(four[3]);
            m.s4[number][map * S4_AREA + row * S4_SIZE + c] = squash(coefficient * sum + s4_bias);
        }
    }
}
