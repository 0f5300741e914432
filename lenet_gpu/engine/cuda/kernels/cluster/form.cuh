// The cluster form: one image a cluster of a few thread blocks, since Hopper (sm_90). Its memory.
//
// What an image costs in the portable form is mostly waiting: its 25,000 multiply-adds a multiprocessor take a tenth of the
// time. A few multiprocessors have several times the registers and shared memory: C5's and F6's weights, 240 KB, lie in
// their shared memory, and exchanges between them are as fast as the second-level cache.
#include "cluster/partition.cuh"
#include "cluster/primitives.cuh"
#include "lenet5.cuh"
#include "output.cuh"
#pragma once
#define PACKED_COPY  // update.cu writes one

constexpr int IMAGES_A_GROUP = 1;

// The input rows that a block's places of S2 look at. With this stride 16 neighbouring places of S2 look at different banks,
// even where a row ends; and so do neighbouring rows.
constexpr int X_ROWS = (HALF_ROWS - 1) / 2 * 2 + 2 + KERNEL - 1, X_STRIDE = 46, X_SIZE = X_ROWS * X_STRIDE;
__device__ constexpr int first_row(int rank) {
    return first_half_row(rank) / 2 * 2 + X_ROWS <= INPUT_SIZE ? first_half_row(rank) / 2 * 2 : INPUT_SIZE - X_ROWS;
}
constexpr int S2_STRIDE = 22, S2_MAP = S2_SIZE * S2_STRIDE;
constexpr int C1_STRIDE = 34, C1_SECOND = 16;             // a half row of S2 stands on two of 14 in C1
constexpr int C3_STRIDE = C3_SIZE, ZERO_ROWS = KERNEL - 1, C3_MAP = (C3_SIZE + ZERO_ROWS) * C3_STRIDE;
constexpr int C3_FLOATS = MOST_MAPS * C3_MAP + ZERO_ROWS * C3_STRIDE;  // each map between rows of zeros
constexpr int BACK = 8;                                   // floats of a half row that comes back to S2, padded
constexpr int BACK_SLOT = HALF_ROWS * BACK;
constexpr int C1_PACK = C3_WEIGHT;                        // 168 parameters of C1 and S2: the first of the flat buffer
constexpr int C3_KERNELS = OWN_PAIRS * TAPS;
constexpr int OWN_C3 = C3_KERNELS + 3 * MOST_MAPS;        // kernels; biases of C3; coefficients, biases of S4
constexpr int SCRATCH = 3752;

__device__ constexpr int multiple_of_4(int floats) { return (floats + 3) / 4 * 4; }

// ---- A block's part of the parameters
//
// In global memory `packed` [CLUSTER][PART] holds a copy for each block, just as its shared memory has it, padding and all:
// one bulk copy brings the kernels of C1 to S4, another one what C5 and the layers behind it need.

struct alignas(16) Kernels {
    float c1_weight[C1_MAPS * KERNEL_STRIDE];
    float c1_rest[multiple_of_4(3 * C1_MAPS)];         // biases of C1, coefficients and biases of S2
    float c3_weight[OWN_PAIRS * KERNEL_STRIDE];
    float c3_rest[multiple_of_4(3 * MOST_MAPS)];       // biases of C3, coefficients and biases of S4
};
struct Hidden : Kernels {  // read four at a time
    float c5_weight[C5_UNITS * C5_STRIDE];             // those of units of S4 that aren't there are zero
    float f6_weight[F6_UNITS * F6_STRIDE];
    float c5_bias[multiple_of_4(OWN_C5)];
    float f6_bias[F6_UNITS];
};
constexpr bool TRAINED_OUTPUT = PARAMETERS > OUTPUT_WEIGHT;
struct Part : Hidden {
    float output_weight[TRAINED_OUTPUT ? CLASSES * F6_UNITS : 2];
    float output_bias[TRAINED_OUTPUT ? multiple_of_4(CLASSES) : 2];
};
constexpr int PART = sizeof(Part) / sizeof(float);
static_assert(sizeof(Kernels) % 16 == 0 && sizeof(Part) % 16 == 0, "bulk copies");

// Where the fields begin.
constexpr int PART_REST1 = C1_MAPS * KERNEL_STRIDE, PART_C3 = PART_REST1 + multiple_of_4(3 * C1_MAPS);
constexpr int PART_REST3 = PART_C3 + OWN_PAIRS * KERNEL_STRIDE, PART_C5 = PART_REST3 + multiple_of_4(3 * MOST_MAPS);
constexpr int PART_F6 = PART_C5 + C5_UNITS * C5_STRIDE, PART_BIAS5 = PART_F6 + F6_UNITS * F6_STRIDE;
constexpr int PART_BIAS6 = PART_BIAS5 + multiple_of_4(OWN_C5), PART_OUTPUT = PART_BIAS6 + F6_UNITS;
constexpr int PART_OUTPUT_BIAS = PART_OUTPUT + CLASSES * F6_UNITS;
static_assert(PART_C5 == sizeof(Kernels) / sizeof(float), "as the structures have it");
static_assert(PART == (TRAINED_OUTPUT ? PART_OUTPUT_BIAS + multiple_of_4(CLASSES) : PART_OUTPUT + 4), "likewise");

// Where parameter `place` of block `rank`'s OWN_C3 of C3 and S4 lies in the flat buffer.
__device__ inline int flat_of_c3(int rank, int place) {
    if (place < C3_KERNELS) return C3_WEIGHT + PARTITION.pair[rank][place / TAPS] * TAPS + place % TAPS;
    const int field = (place - C3_KERNELS) / MOST_MAPS, map = PARTITION.own[rank][(place - C3_KERNELS) % MOST_MAPS];
    return (field == 0 ? C3_BIAS : (field == 1 ? S4_COEFFICIENT : S4_BIAS)) + map;
}

// Where float `place` of block `rank`'s part lies in the flat buffer; NONE: padding.
__device__ inline int flat_of(int rank, int place) {
    if (place < PART_REST1) {
        const int tap = place % KERNEL_STRIDE;
        return tap < TAPS ? C1_WEIGHT + place / KERNEL_STRIDE * TAPS + tap : NONE;
    }
    if (place < PART_C3) return place - PART_REST1 < 3 * C1_MAPS ? C1_BIAS + place - PART_REST1 : NONE;
    if (place < PART_REST3) {
        const int q = (place - PART_C3) / KERNEL_STRIDE, tap = (place - PART_C3) % KERNEL_STRIDE;
        return tap < TAPS ? flat_of_c3(rank, q * TAPS + tap) : NONE;
    }
    if (place < PART_C5) {
        const int k = place - PART_REST3;
        return k < 3 * MOST_MAPS && k % MOST_MAPS < PARTITION.maps[rank] ? flat_of_c3(rank, C3_KERNELS + k) : NONE;
    }
    if (place < PART_F6) {
        const int unit = (place - PART_C5) / C5_STRIDE, input = (place - PART_C5) % C5_STRIDE, map = input / S4_AREA;
        if (map >= PARTITION.maps[rank]) return NONE;
        return C5_WEIGHT + unit * S4_UNITS + PARTITION.own[rank][map] * S4_AREA + input % S4_AREA;
    }
    if (place < PART_BIAS5) {
        const int unit = (place - PART_F6) / F6_STRIDE, input = (place - PART_F6) % F6_STRIDE;
        return input < OWN_C5 ? F6_WEIGHT + unit * C5_UNITS + OWN_C5 * rank + input : NONE;
    }
    if (place < PART_BIAS6) return place - PART_BIAS5 < OWN_C5 ? C5_BIAS + OWN_C5 * rank + place - PART_BIAS5 : NONE;
    if (place < PART_OUTPUT) return F6_BIAS + place - PART_BIAS6;
    if (!TRAINED_OUTPUT) return NONE;
    if (place < PART_OUTPUT_BIAS) return OUTPUT_WEIGHT + place - PART_OUTPUT;
    return place - PART_OUTPUT_BIAS < CLASSES ? OUTPUT_BIAS + place - PART_OUTPUT_BIAS : NONE;
}

// A new value of a parameter, for `packed`; C1, S2, F6's biases and the output are in every block's part.
__device__ inline void store_packed(float* __restrict__ packed, int parameter, float value) {
    int block = NONE, place;
    if (parameter < C1_BIAS) place = parameter / TAPS * KERNEL_STRIDE + parameter % TAPS;
    else if (parameter < C3_WEIGHT) place = PART_REST1 + parameter - C1_BIAS;
    else if (parameter < C3_BIAS) {
        const int pair = (parameter - C3_WEIGHT) / TAPS;
        block = PARTITION.pair_block[pair];
        place = PART_C3 + PARTITION.pair_place[pair] * KERNEL_STRIDE + (parameter - C3_WEIGHT) % TAPS;
    } else if (parameter < C5_WEIGHT) {
        const int field = (parameter - C3_BIAS) / C3_MAPS, map = (parameter - C3_BIAS) % C3_MAPS;
        block = PARTITION.block[map];
        place = PART_REST3 + field * MOST_MAPS + PARTITION.place[map];
    } else if (parameter < C5_BIAS) {
        const int unit = (parameter - C5_WEIGHT) / S4_UNITS, input = (parameter - C5_WEIGHT) % S4_UNITS;
        const int map = input / S4_AREA;
        block = PARTITION.block[map];
        place = PART_C5 + unit * C5_STRIDE + PARTITION.place[map] * S4_AREA + input % S4_AREA;
    } else if (parameter < F6_WEIGHT) {
        block = (parameter - C5_BIAS) / OWN_C5;
        place = PART_BIAS5 + (parameter - C5_BIAS) % OWN_C5;
    } else if (parameter < F6_BIAS) {
        const int unit = (parameter - F6_WEIGHT) / C5_UNITS, input = (parameter - F6_WEIGHT) % C5_UNITS;
        block = input / OWN_C5;
        place = PART_F6 + unit * F6_STRIDE + input % OWN_C5;
    } else if (parameter < OUTPUT_WEIGHT) place = PART_BIAS6 + parameter - F6_BIAS;
    else if (parameter < OUTPUT_BIAS) place = PART_OUTPUT + parameter - OUTPUT_WEIGHT;
    else place = PART_OUTPUT_BIAS + parameter - OUTPUT_BIAS;
    if (block != NONE) packed[block * PART + place] = value;
    else
#pragma unroll
        for (int rank = 0; rank < CLUSTER; ++rank) packed[rank * PART + place] = value;
}

// What comes from the other blocks, and the rest. An mbarrier each.
enum Mail {
    MAIL_S2,       // outputs of S2, all of them
    MAIL_C5,       // what the blocks contribute to the own units of C5
    MAIL_F6,       // what they contribute to F6
    MAIL_D_C5,     // dE/da of C5
    MAIL_BACK,     // what the blocks' maps of C3 send back to the own places of S2
    MAIL_C1,       // gradients of C1 and S2 from the blocks; then no block reads anything of this image any more
    MAIL_KERNELS,  // train_images.cu: parameters of C1 to S4
    MAIL_WEIGHTS,  // and of C5, F6 and output
    MAILS
};

struct Memory {
    Part own;
    // Outputs of the layers. In the backward pass dE/da overwrites y in C1 and C3.
    alignas(16) float x[2][X_SIZE];                        // this image, and the next
    alignas(16) float s2[S2_MAPS * S2_MAP];
    alignas(16) float scratch[SCRATCH];                    // partial sums
    alignas(16) float c3[C3_FLOATS];
    alignas(16) float s2_back[S2_MAPS * MOST_SLOTS * BACK_SLOT];  // slots that aren't used are zero
    alignas(16) float c1[C1_MAPS * HALF_ROWS * C1_STRIDE];
    alignas(16) float s4[C5_STRIDE];                       // units that aren't there are zero
    alignas(16) float c5_parts[CLUSTER * OWN_C5], c5[multiple_of_4(OWN_C5)], f6_parts[CLUSTER * F6_UNITS];
    alignas(16) float f6[F6_UNITS], d_f6[F6_UNITS], d_c5[C5_UNITS];
    alignas(16) float output[multiple_of_4(CLASSES)], d_output[multiple_of_4(CLASSES)];
    float c1_parts[CLUSTER * C1_PACK];
    float loss, correct;
    int label[2];
    alignas(8) unsigned long long mail[MAILS];
};

constexpr int BIAS_C1 = 0, COEFFICIENT_S2 = C1_MAPS, BIAS_S2 = 2 * C1_MAPS;      // in c1_rest
constexpr int BIAS_C3 = 0, COEFFICIENT_S4 = MOST_MAPS, BIAS_S4 = 2 * MOST_MAPS;  // in c3_rest

// Parameter `place` of the 168 of C1 and S2, and of a block's OWN_C3 of C3 and S4, where the phases want it.
__device__ inline float& c1_parameter(Part& part, int place) {
    return place < C1_MAPS * TAPS ? part.c1_weight[place / TAPS * KERNEL_STRIDE + place % TAPS]
                                  : part.c1_rest[place - C1_MAPS * TAPS];
}
__device__ inline float& c3_parameter(Part& part, int place) {
    return place < C3_KERNELS ? part.c3_weight[place / TAPS * KERNEL_STRIDE + place % TAPS]
                              : part.c3_rest[place - C3_KERNELS];
}

// ---- Barriers of a block

constexpr int WORKERS_BARRIER = 1;
__device__ inline void workers_wait() { barrier_wait<WORKERS_BARRIER, THREADS>(); }

// One image's turn: the block's rank, and the parity of the mail's phase.
struct Turn {
    int rank;
    unsigned parity;
    bool first;  // of the cluster
};

__device__ inline unsigned mail_of(Memory& m, int which) { return address_of(&m.mail[which]); }
__device__ inline void wait_for(Memory& m, int which, unsigned parity) { mbarrier_wait(mail_of(m, which), parity); }

// By one thread, before the cluster's first barrier.
__device__ inline void prepare_mail(Memory& m) {
    for (int which = 0; which < MAILS; ++which) mbarrier_init(mail_of(m, which), 1);
    mbarriers_ready();
}

// COUNT floats from a 16-byte boundary, a multiple of four. By threads `t`, t + THREADS_, ...
template <int COUNT, int THREADS_>
__device__ inline void fill(float* floats, float value, int t) {
    static_assert(COUNT % 4 == 0, "four at a time");
#pragma unroll
    for (int k = t; k < COUNT / 4; k += THREADS_) reinterpret_cast<float4*>(floats)[k] = make_float4(value, value, value, value);
}
// What is never written again: zeros, and the input's margins.
template <int THREADS_>
__device__ inline void clear_margins(Memory& m, float background, int t) {
    fill<C3_FLOATS, THREADS_>(m.c3, 0.0f, t);
    fill<S2_MAPS * MOST_SLOTS * BACK_SLOT, THREADS_>(m.s2_back, 0.0f, t);
    fill<C5_STRIDE, THREADS_>(m.s4, 0.0f, t);
    fill<2 * X_SIZE, THREADS_>(m.x[0], background, t);
}

// What the blocks sent: a sum over them, each of which has `stride` floats.
__device__ inline float sum_of_blocks(const float* part, int stride) {
    const float rest = CLUSTER > 3 ? part[2 * stride] + part[3 * stride] : part[2 * stride];
    return (part[0] + part[stride]) + rest;
}
static_assert(CLUSTER == 3 || CLUSTER == 4, "as sum_of_blocks adds");

// N sums over LANES neighbouring lanes of a warp, as warp_sums of lenet5.cuh: lane k gets the sum of values[k % N].
template <int N, int LANES_ = WARP, int HALF_N = N / 2>
__device__ inline float sums_of_lanes(float (&values)[N]) {
    if constexpr (HALF_N >= 1) {
        const bool upper = (threadIdx.x & HALF_N) != 0;
#pragma unroll
        for (int k = 0; k < HALF_N; ++k) {
            const float keep = upper ? values[k + HALF_N] : values[k];
            const float give = upper ? values[k] : values[k + HALF_N];
            values[k] = keep + __shfl_xor_sync(0xffffffffu, give, HALF_N);
        }
        return sums_of_lanes<N, LANES_, HALF_N / 2>(values);
    } else {
        float sum = values[0];
#pragma unroll
        for (int distance = N; distance < LANES_; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
        return sum;
    }
}
