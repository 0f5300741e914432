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

// C3's maps in four parts with 15 pairs each.
constexpr int C3_PARTS = 4, MAPS_A_PART = C3_MAPS / C3_PARTS;
constexpr int PART_MAPS[C3_PARTS][MAPS_A_PART] = {{0, 1, 3, 15}, {2, 6, 8, 11}, {4, 7, 12, 13}, {5, 9, 10, 14}};
struct Parts {
    signed char map[C3_PARTS][MAPS_A_PART];
    signed char pair[C3_PARTS][S2_MAPS][MAPS_A_PART];  // that joins an S2 map to a map of the part; NONE
};

__device__ constexpr Parts parts_of_table() {
    Parts parts{};
    const Pairs pairs = pairs_of_table();
    for (int part = 0; part < C3_PARTS; ++part)
        for (int k = 0; k < MAPS_A_PART; ++k) {
            const int map = PART_MAPS[part][k];
            parts.map[part][k] = static_cast<signed char>(map);
            for (int i = 0; i < S2_MAPS; ++i) parts.pair[part][i][k] = NONE;
            for (int pair = pairs.first[map]; pair < pairs.first[map + 1]; ++pair)
                parts.pair[part][pairs.input[pair]][k] = static_cast<signed char>(pair);
        }
    return parts;
}

__device__ constexpr bool parts_are_equal() {
    const Parts parts = parts_of_table();
    for (int part = 0; part < C3_PARTS; ++part) {
        int pairs = 0;
        for (int i = 0; i < S2_MAPS; ++i)
            for (int k = 0; k < MAPS_A_PART; ++k) pairs += parts.pair[part][i][k] != NONE;
        if (pairs != C3_PAIRS / C3_PARTS) return false;
    }
    return true;
}
static_assert(parts_are_equal(), "the same work for every part");

__constant__ const Parts PARTS = parts_of_table();

// A warp takes an image and a part, a lane one of the 25 units of S4's maps: each patch of S2 serves all maps of the part
// that it feeds, 250 products on average.
template <class M>
__device__ inline void forward_c3_s4(M& m) {
    const int thread = thread_of_block(), lane = thread % WARP;
    if (lane >= S4_AREA) return;
    const int r = lane / S4_SIZE, c = lane % S4_SIZE;
#pragma unroll 1
    for (int task = thread / WARP; task < C3_PARTS * M::IMAGES; task += WARPS) {
        const int number = task / C3_PARTS, part = task % C3_PARTS;
        auto& image = m.image[number];
        float a[MAPS_A_PART][4];
#pragma unroll
        for (int k = 0; k < MAPS_A_PART; ++k)
            a[k][0] = a[k][1] = a[k][2] = a[k][3] = m.c3_bias[PARTS.map[part][k]];
#pragma unroll 1
        for (int i = 0; i < S2_MAPS; ++i) {
            float patch[KERNEL + 1][KERNEL + 1];
            load_patch(image.s2 + i * S2_MAP + 2 * r * S2_STRIDE + 2 * c, S2_STRIDE, patch);
#pragma unroll
            for (int k = 0; k < MAPS_A_PART; ++k) {
                const int pair = PARTS.pair[part][i][k];
                if (pair == NONE) continue;  // the same for the whole warp
                float weight[KERNEL_STRIDE];
                load_kernel(m.c3_weight + pair * KERNEL_STRIDE, weight);
                correlate(patch, weight, a[k]);
            }
        }
#pragma unroll
        for (int k = 0; k < MAPS_A_PART; ++k) {
            const int map = PARTS.map[part][k];
            float sum = 0.0f;
            if constexpr (M::KEEPS_CONVOLUTIONS)
                sum = squash_four(a[k], image.c3 + map * C3_MAP + 2 * r * C3_SIZE + 2 * c, C3_SIZE);
            else sum = squash(a[k][0]) + squash(a[k][1]) + squash(a[k][2]) + squash(a[k][3]);
            m.s4[number][map * S4_AREA + lane] = squash(m.s4_coefficient[map] * sum + m.s4_bias[map]);
        }
    }
}
