// The forward pass of one image by one thread block: pixels to the scores of the classes, all in shared memory.
#include "patch.cuh"
#include "portable/dense.cuh"
// What follows F6: head_softmax.cuh or head_rbf.cuh, as the network has it.
#include "head.cuh"

// A block copies the weights of C1 to S4 to shared memory once, four a thread. Those of C5, F6 and output are read from the
// second-level cache: an image needs each of them once, so a copy would not pay.
constexpr int SHARED_QUADS = SHARED_WEIGHTS / 4;
static_assert(SHARED_WEIGHTS % 4 == 0 && SHARED_QUADS <= THREADS, "one turn of the block");

__device__ inline float4 weights_of_thread(const float* __restrict__ parameters) {
    return reinterpret_cast<const float4*>(parameters)[at_most(threadIdx.x, SHARED_QUADS - 1)];
}

// Where a parameter of C1 to S4 lies in `Weights`. The last three floats of each kernel are padding that is read (as part of
// a float4) but never used.
__device__ inline int place_of(int parameter) {
    constexpr int PADDING = KERNEL_STRIDE - TAPS, C1_PADDING = C1_MAPS * PADDING, ALIGNED = C1_PADDING + 2;
    if (parameter < C1_BIAS) return parameter + parameter / TAPS * PADDING;
    if (parameter < C3_WEIGHT) return parameter + C1_PADDING;
    if (parameter < C3_BIAS) return parameter + ALIGNED + (parameter - C3_WEIGHT) / TAPS * PADDING;
    return parameter + ALIGNED + C3_PAIRS * PADDING;
}

__device__ inline void store_weights(float4 own, Memory& m) {
    const int thread = thread_index();
    if (thread >= SHARED_QUADS) return;
    float* weights = reinterpret_cast<float*>(static_cast<Weights*>(&m));
    const int first = thread * 4;
    weights[place_of(first)] = own.x;
    weights[place_of(first + 1)] = own.y;
    weights[place_of(first + 2)] = own.z;
    weights[place_of(first + 3)] = own.w;
}

// Input layer: x = background + pixel * (ink - background) / 255, with a margin of two background pixels, which no image
// changes. A thread takes four pixels, one word; the other threads the margin.
constexpr int WORDS_A_ROW = IMAGE_SIZE / 4, WORDS = IMAGE_SIZE * WORDS_A_ROW;  // 7 and 196
constexpr int FIRST_OF_MARGIN = THREADS / 2, MARGIN_PIXELS = INPUT_SIZE * INPUT_SIZE - IMAGE_SIZE * IMAGE_SIZE;
static_assert(WORDS <= FIRST_OF_MARGIN && FIRST_OF_MARGIN + MARGIN_PIXELS <= THREADS, "one turn of the block");

__device__ inline unsigned pixels_of_thread(const unsigned char* __restrict__ pixels) {
    return reinterpret_cast<const unsigned*>(pixels)[at_most(threadIdx.x, WORDS - 1)];
}

__device__ inline void store_image(unsigned four, float background, float scale, Memory& m) {
    const int thread = thread_index();
    if (thread >= WORDS) return;
    const int row = thread / WORDS_A_ROW + MARGIN, column = thread % WORDS_A_ROW * 4 + MARGIN;
    float2* x = reinterpret_cast<float2*>(m.x + row * X_STRIDE + column);
    x[0] = make_float2(background + scale * (four & 255u), background + scale * (four >> 8 & 255u));
    x[1] = make_float2(background + scale * (four >> 16 & 255u), background + scale * (four >> 24));
}

__device__ inline void store_margin(float background, Memory& m) {
    constexpr int ROWS = 2 * MARGIN * INPUT_SIZE;  // pixels of the rows above and below the image
    const int k = thread_index() - FIRST_OF_MARGIN, beside = k - ROWS;
    if (k < 0 || k >= MARGIN_PIXELS) return;
    int row = k / INPUT_SIZE, column = k % INPUT_SIZE;
    if (beside >= 0) {
        row = beside / (2 * MARGIN) + MARGIN;
        column = beside % (2 * MARGIN);
        if (column >= MARGIN) column += IMAGE_SIZE;
    } else if (row >= MARGIN) row += IMAGE_SIZE;
    m.x[row * X_STRIDE + column] = background;
}

// C1: y[o, r, s] = f(bias[o] + sum over u, v of weight[o, u, v] * x[r + u, s + v])            6 maps of 28x28
// S2: y[o, r, s] = f(coefficient[o] * (sum of the 2x2 units of C1 below) + bias[o])           6 maps of 14x14
//
// A thread takes the same unit of three of the six S2 maps: the patch is loaded once for 300 products. That is 12 whole
// warps, and eight threads' work more, which 24 threads take, a map each.
__device__ inline void forward_c1_s2(Memory& m) {
    constexpr int MAPS_A_THREAD = 3, ITEMS = C1_MAPS / MAPS_A_THREAD * S2_AREA, WHOLE = ITEMS / WARP * WARP;
    static_assert(WHOLE + (ITEMS - WHOLE) * MAPS_A_THREAD <= THREADS, "one turn of the block");
    const int thread = thread_index(), rest = thread - WHOLE;
    const int item = rest < 0 ? thread : WHOLE + rest / MAPS_A_THREAD;
    if (item >= ITEMS) return;
    const int unit = item % S2_AREA, r = unit / S2_SIZE, c = unit % S2_SIZE;
    int map = item / S2_AREA * MAPS_A_THREAD, end = map + MAPS_A_THREAD;
    if (rest >= 0) {
        map += rest % MAPS_A_THREAD;
        end = map + 1;
    }
    float patch[KERNEL + 1][KERNEL + 1];
    load_patch(m.x + 2 * r * X_STRIDE + 2 * c, X_STRIDE, patch);
#pragma unroll 1
    for (; map < end; ++map) {
        float weight[KERNEL_STRIDE];
        load_kernel(m.c1_weight + map * KERNEL_STRIDE, weight);
        const float bias = m.c1_bias[map];
        float a[4] = {bias, bias, bias, bias};
        correlate(patch, weight, a);
        const float sum = squash_four(a, m.c1 + map * C1_MAP + 2 * r * C1_STRIDE + 2 * c, C1_STRIDE);
        m.s2[map * S2_MAP + r * S2_STRIDE + c] = squash(m.s2_coefficient[map] * sum + m.s2_bias[map]);
    }
}

// The map of C3 and S4 that a warp takes: the four warps of each scheduler (every fourth warp) have 15 pairs together.
__device__ inline int c3_map_of(int warp) {
    const int scheduler = warp % 4, turn = warp / 4;
    if (scheduler == 0) return turn == 0 ? 15 : turn - 1;           // 15, 0, 1, 2: 6 + 3 + 3 + 3 pairs
    return turn == 0 ? scheduler + 2 : 3 * scheduler + turn + 2;  // 3, 6, 7, 8 and so on: 3 + 4 + 4 + 4 pairs
}
static_assert(C3_MAPS == WARPS, "a map a warp");

// C3: y[o, r, s] = f(bias[o] + sum over the S2 maps i of Table I's row o, and u, v,
//                    of weight[pair(o, i), u, v] * S2[i, r + u, s + v])                       16 maps of 10x10
// S4: as S2                                                                                   16 maps of 5x5
//
// A warp takes a map, a lane one unit of S4: 300 to 600 products. With rows of S2 22 floats apart, the patches of the first
// 14 units begin in 14 different pairs of banks, and those of the other 11, which the upper half of the warp takes.
__device__ inline void forward_c3_s4(Memory& m) {
    constexpr int LOWER = 14;
    const int thread = thread_index(), lane = thread % WARP, map = c3_map_of(thread / WARP);
    const bool upper = lane >= WARP / 2;
    const int unit = upper ? lane - WARP / 2 + LOWER : lane;
    if (unit >= S4_AREA || (!upper && unit >= LOWER)) return;
    const int r = unit / S4_SIZE, c = unit % S4_SIZE;
    const float bias = m.c3_bias[map];
    float a[4] = {bias, bias, bias, bias};
#pragma unroll 1
    for (int pair = PAIRS.first[map]; pair < PAIRS.first[map + 1]; ++pair) {
        float patch[KERNEL + 1][KERNEL + 1], weight[KERNEL_STRIDE];
        load_patch(m.s2 + PAIRS.input[pair] * S2_MAP + 2 * r * S2_STRIDE + 2 * c, S2_STRIDE, patch);
        load_kernel(m.c3_weight + pair * KERNEL_STRIDE, weight);
        correlate(patch, weight, a);
    }
    const float sum = squash_four(a, m.c3 + map * C3_MAP + 2 * r * C3_SIZE + 2 * c, C3_SIZE);
    m.s4[map * S4_AREA + unit] = squash(m.s4_coefficient[map] * sum + m.s4_bias[map]);
}

// The whole forward pass. The image and the weights must be in shared memory (and a barrier passed since). F6's weights stay
// in registers: the backward pass needs them again.
__device__ inline void forward(const float* __restrict__ parameters, F6Rows& f6, Memory& m) {
    forward_c1_s2(m);
    __syncthreads();
    MARK(2);  // C1, S2
    C5Rows c5;
    c5.load(parameters + C5_WEIGHT, parameters + C5_BIAS);
    forward_c3_s4(m);
    __syncthreads();
    MARK(3);  // C3, S4
    float a[C5_UNITS_A_WARP], last;
    c5.multiply(parameters + C5_WEIGHT, m.s4, a, last);
    f6.load(parameters + F6_WEIGHT, parameters + F6_BIAS);
    c5.finish(a, last, m.c5);
    __syncthreads();
    MARK(4);  // C5
    Head head;
    head.load(parameters);
    f6.forward<true>(m.c5, m.f6);
    __syncthreads();
    MARK(5);  // F6
    head.forward(m);
    __syncthreads();
    MARK(6);  // output
}
