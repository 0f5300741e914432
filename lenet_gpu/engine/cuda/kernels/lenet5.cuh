// LeNet-5 in numbers, and the layout of all memory.
//
// Source: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition", section II.B.
//
//   input   C1        S2        C3         S4        C5    F6   output
//   32x32 - 6@28x28 - 6@14x14 - 16@10x10 - 16@5x5 - 120 - 84 - 10 (or another number of classes)
//
// Sizes in comments are those of ten classes.
//
// Four things a reader new to CUDA needs:
//   * A kernel (__global__) is started as a grid of thread blocks. The threads of a block run on one multiprocessor, 32 at
//     a time (a warp). They share a fast memory (__shared__) and wait for one another at __syncthreads().
//   * Blocks do not communicate: what one computes for the others goes through global memory to the next kernel.
//   * Shared memory answers a warp at once if its 32 addresses lie in different banks (address / 4 modulo 32) or are
//     equal. That is why some rows below are a little longer than they need to be ("stride").
//   * A thread's own variables live in registers, which are far faster than any memory: each loaded value is used for as
//     many products as possible.
#pragma once
// CLASSES, for which the kernels are compiled.
#include "classes.cuh"

// ---- section II.B

constexpr int KERNEL = 5;
constexpr int TAPS = KERNEL * KERNEL;  // 25
constexpr int IMAGE_SIZE = 28;
constexpr int INPUT_SIZE = 32, MARGIN = (INPUT_SIZE - IMAGE_SIZE) / 2;
constexpr int C1_MAPS = 6, C1_SIZE = 28;
constexpr int S2_MAPS = 6, S2_SIZE = 14, S2_AREA = S2_SIZE * S2_SIZE;
constexpr int C3_MAPS = 16, C3_SIZE = 10, C3_AREA = C3_SIZE * C3_SIZE, C3_PAIRS = 60;
constexpr int S4_MAPS = 16, S4_SIZE = 5, S4_AREA = S4_SIZE * S4_SIZE, S4_UNITS = S4_MAPS * S4_AREA;  // 400
constexpr int C5_UNITS = 120, F6_UNITS = 84;
constexpr int NO_CLASS = CLASSES;  // label of an image of none of the classes; with digits, "not a digit"

// The squashing function f(a) = A tanh(S a), appendix A.
constexpr float SQUASH_A = 1.7159f, SQUASH_S = 2.0f / 3.0f;

// ---- Table I: row i names the S2 maps that feed map i of C3.

constexpr int NONE = -1;
constexpr int C3_TABLE[C3_MAPS][S2_MAPS] = {
    {0, 1, 2, NONE, NONE, NONE}, {1, 2, 3, NONE, NONE, NONE}, {2, 3, 4, NONE, NONE, NONE}, {3, 4, 5, NONE, NONE, NONE},
    {0, 4, 5, NONE, NONE, NONE}, {0, 1, 5, NONE, NONE, NONE}, {0, 1, 2, 3, NONE, NONE},    {1, 2, 3, 4, NONE, NONE},
    {2, 3, 4, 5, NONE, NONE},    {0, 3, 4, 5, NONE, NONE},    {0, 1, 4, 5, NONE, NONE},    {0, 1, 2, 5, NONE, NONE},
    {0, 1, 3, 4, NONE, NONE},    {1, 2, 4, 5, NONE, NONE},    {0, 2, 3, 5, NONE, NONE},    {0, 1, 2, 3, 4, 5},
};

// A pair is one connection of Table I, and has one 5x5 kernel; pairs are numbered by C3 map, then by S2 map.
constexpr int FEEDS = 10;  // every S2 map feeds ten C3 maps
struct Pairs {
    unsigned char first[C3_MAPS + 1];      // the pairs of C3 map o are first[o] ... first[o + 1] - 1
    unsigned char input[C3_PAIRS];         // S2 map of a pair
    unsigned char output[C3_PAIRS];        // C3 map of a pair
    unsigned char feeds[S2_MAPS][FEEDS];   // the ten pairs that read S2 map i
};

__device__ constexpr Pairs pairs_of_table() {
    Pairs pairs{};
    int pair = 0, fed[S2_MAPS] = {};
    for (int o = 0; o < C3_MAPS; ++o) {
        pairs.first[o] = static_cast<unsigned char>(pair);
        for (int k = 0; k < S2_MAPS; ++k) {
            const int i = C3_TABLE[o][k];
            if (i == NONE) continue;
            pairs.input[pair] = static_cast<unsigned char>(i);
            pairs.output[pair] = static_cast<unsigned char>(o);
            pairs.feeds[i][fed[i]++] = static_cast<unsigned char>(pair++);
        }
    }
    pairs.first[C3_MAPS] = static_cast<unsigned char>(pair);
    return pairs;
}

__constant__ const Pairs PAIRS = pairs_of_table();

// ---- The flat parameter buffer, in the order of LeNet5.views; it ends with F6 where the output has no parameters

constexpr int C1_WEIGHT = 0;                                              // [6][5][5]
constexpr int C1_BIAS = C1_WEIGHT + C1_MAPS * TAPS;                       // [6]
constexpr int S2_COEFFICIENT = C1_BIAS + C1_MAPS;                         // [6]
constexpr int S2_BIAS = S2_COEFFICIENT + S2_MAPS;                         // [6]
constexpr int C3_WEIGHT = S2_BIAS + S2_MAPS;                              // [60][5][5]
constexpr int C3_BIAS = C3_WEIGHT + C3_PAIRS * TAPS;                      // [16]
constexpr int S4_COEFFICIENT = C3_BIAS + C3_MAPS;                         // [16]
constexpr int S4_BIAS = S4_COEFFICIENT + S4_MAPS;                         // [16]
constexpr int C5_WEIGHT = S4_BIAS + S4_MAPS;                              // [120][400]
constexpr int C5_BIAS = C5_WEIGHT + C5_UNITS * S4_UNITS;                  // [120]
constexpr int F6_WEIGHT = C5_BIAS + C5_UNITS;                             // [84][120]
constexpr int F6_BIAS = F6_WEIGHT + F6_UNITS * C5_UNITS;                  // [84]
constexpr int OUTPUT_WEIGHT = F6_BIAS + F6_UNITS;                         // [10][84]
constexpr int OUTPUT_BIAS = OUTPUT_WEIGHT + CLASSES * F6_UNITS;           // [10]

constexpr int SHARED_WEIGHTS = C5_WEIGHT;  // C1 to S4 share their weights among many units
static_assert(156 + 12 + 1516 + 32 == SHARED_WEIGHTS, "trainable parameters of C1, S2, C3 and S4 (section II.B)");

// ---- What the images of a batch contribute to its gradient
//
// A weight of C1 to S4 is shared by many units: its gradient, summed over the images of a group (one image or a few, as
// the form of the kernels has it), is a result worth writing down. GROUP floats a group:
//
//   | gradient of C1 ... S4 |
//   | 1,716                 |
//
// A weight of C5, F6 or the output is used once an image: its gradient is delta x activation, so the 820 numbers of an
// image's record stand for 59,134 gradients (58,284 without those of the output). RECORD floats an image:
//
//   | y of S4 | y of C5 | y of F6 | dE/da of C5 | of F6 | of output | loss | correct |
//   | 400     | 120     | 84      | 120         | 84    | 10        | 1    | 1       |
//
// Every field up to dE/da of the output starts on a 16-byte boundary, where four floats can be read at once. So does the
// next image's record: for some numbers of classes the field of the output is padded.

constexpr int GROUP = SHARED_WEIGHTS;

constexpr int RECORD_S4 = 0;
constexpr int RECORD_C5 = RECORD_S4 + S4_UNITS;
constexpr int RECORD_F6 = RECORD_C5 + C5_UNITS;
constexpr int RECORD_D_C5 = RECORD_F6 + F6_UNITS;
constexpr int RECORD_D_F6 = RECORD_D_C5 + C5_UNITS;
constexpr int RECORD_D_OUTPUT = RECORD_D_F6 + F6_UNITS;
constexpr int OUTPUT_FIELD = (CLASSES + 2 + 3) / 4 * 4 - 2;  // padding may be read with the last class, but is not used
constexpr int RECORD_LOSS = RECORD_D_OUTPUT + OUTPUT_FIELD;
constexpr int RECORD_CORRECT = RECORD_LOSS + 1;
constexpr int RECORD = RECORD_CORRECT + 1;
static_assert(GROUP % 4 == 0 && RECORD % 4 == 0 && RECORD_D_OUTPUT % 4 == 0, "fields on 16-byte boundaries");

// ---- The step counter of an epoch: four integers in device memory
//
// A CUDA graph replays its kernels with the very same arguments, so the step number can't be one of them. Each of the two
// kernels reads its own step and writes the other's: no thread reads a number while another one writes it.

enum StepCounter {
    IMAGES_STEP,   // step of the kernel that works on images, which is the steps done; written by the update kernel
    UPDATE_STEP,   // step of the update kernel; written by the kernel that works on images
    EPOCH_IMAGES,  // images in the epoch
    BATCH_SIZE,    // images a step
};

// Images of this step: the batch size, less in the last step of an epoch, 0 beyond it.
__device__ inline int images_of_step(const int* counter, int step) {
    const int left = counter[EPOCH_IMAGES] - step * counter[BATCH_SIZE];
    return left < 0 ? 0 : (left < counter[BATCH_SIZE] ? left : counter[BATCH_SIZE]);
}

constexpr int WARP = 32;
constexpr int KERNEL_STRIDE = 28;  // 25 weights of a kernel in shared memory, in seven float4

extern __shared__ float4 dynamic_shared[];  // its size is given at launch

// ---- Two kernels that overlap
//
// Since compute capability 9.0 a kernel may begin while the last blocks of the kernel before it are still at work. It
// must wait before it reads anything that one wrote, or writes anything that one reads; and it says when the next kernel
// may begin. Where kernels are launched one after the other, both do nothing.

__device__ inline void wait_for_kernel_before() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ inline void let_next_kernel_begin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// ---- Profile: when a block reached each mark, in cycles of its multiprocessor (tests/benchmarks/gpu_profile.py)
//
// Compiled in with PROFILE alone. A mark k is behind a barrier: the time between two marks is that of a phase.

#ifdef PROFILE
constexpr int MARKS = 32, PROFILED_BLOCKS = 512;
__device__ long long marks[PROFILED_BLOCKS][MARKS];  // of each block's last image
#define MARK(k) \
    do { \
        if (threadIdx.x == 0 && blockIdx.x < PROFILED_BLOCKS) marks[blockIdx.x][k] = clock64(); \
    } while (0)
#else
#define MARK(k)
#endif

// ---- Small helpers

// f(a) = A tanh(S a) = A - 2 A / (exp(2 S a) + 1)
//
// An image takes 8,184 of these. With the multiprocessor's own exponential and reciprocal (2 units in the last place)
// one is five instructions, without a branch; tanhf() is about twenty. The error stays below 5e-7, which is that of a
// float of size 1.7159 a few times over. For large |a| the exponential is 0 or infinite, and the result -A or A.
__device__ inline float squash(float a) {
    return SQUASH_A - __fdividef(2.0f * SQUASH_A, __expf(2.0f * SQUASH_S * a) + 1.0f);
}

// f'(a) = A S (1 - tanh(S a)^2), from the output y = f(a) alone.
__device__ inline float squash_slope(float y) { return SQUASH_S / SQUASH_A * (SQUASH_A * SQUASH_A - y * y); }

// Sum over the lanes of a warp, in a fixed order; every lane gets it.
__device__ inline float warp_sum(float value) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

// COUNT sums (a power of two, at most 32) over the lanes of a warp: each lane gets that of values[lane / (32 / COUNT)].
// In each round a lane keeps one half of its values and gives the other half to its partner, who keeps that one: 31
// exchanges for 32 sums instead of 160. When one value is left, the lanes that have the same one add theirs.
template <int COUNT, int HALF = COUNT / 2, int DISTANCE = WARP / 2>
__device__ inline float warp_sums(float (&values)[COUNT]) {
    if constexpr (HALF > 0) {
        const bool upper = (threadIdx.x & DISTANCE) != 0;
#pragma unroll
        for (int k = 0; k < HALF; ++k) {
            const float keep = upper ? values[k + HALF] : values[k];
            const float give = upper ? values[k] : values[k + HALF];
            values[k] = keep + __shfl_xor_sync(0xffffffffu, give, DISTANCE);
        }
        return warp_sums<COUNT, HALF / 2, DISTANCE / 2>(values);
    } else {
        float value = values[0];
#pragma unroll
        for (int distance = DISTANCE; distance > 0; distance /= 2)
            value += __shfl_xor_sync(0xffffffffu, value, distance);
        return value;
    }
}

// Sum over four neighbouring lanes; each of them gets it.
__device__ inline float quad_sum(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

// The thread's index, which the compiler knows nothing about: what is computed from it is computed anew. It would else work
// out all phases' addresses before a loop over images, and keep them in registers that the phases need.
__device__ inline int thread_index() {
    int thread = threadIdx.x;
    asm volatile("" : "+r"(thread));
    return thread;
}

__device__ inline int at_most(int value, int limit) { return value < limit ? value : limit; }

// sum += vector * factor
__device__ inline void add_product(float4& sum, float4 vector, float factor) {
    sum.x += vector.x * factor;
    sum.y += vector.y * factor;
    sum.z += vector.z * factor;
    sum.w += vector.w * factor;
}

// Copy COUNT floats (even) from an 8-byte boundary of shared memory into registers, two at a time.
template <int COUNT>
__device__ inline void load_row(const float* row, float (&values)[COUNT]) {
    static_assert(COUNT % 2 == 0, "two at a time");
#pragma unroll
    for (int k = 0; k < COUNT; k += 2) {
        const float2 two = *reinterpret_cast<const float2*>(row + k);
        values[k] = two.x;
        values[k + 1] = two.y;
    }
}

// Copy a 5x5 kernel from shared memory into registers, four weights at a time.
__device__ inline void load_kernel(const float* kernel, float (&weight)[KERNEL_STRIDE]) {
#pragma unroll
    for (int k = 0; k < KERNEL_STRIDE; k += 4) {
        const float4 four = *reinterpret_cast<const float4*>(kernel + k);
        weight[k] = four.x;
        weight[k + 1] = four.y;
        weight[k + 2] = four.z;
        weight[k + 3] = four.w;
    }
}
