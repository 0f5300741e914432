// The cluster form: one image a cluster of four thread blocks, since Hopper (sm_90). Its memory.
//
// What an image costs in the portable form is mostly waiting: its 25,000 multiply-adds a multiprocessor take a tenth of the
// time. Four multiprocessors have four times the registers and shared memory: C5's and F6's weights, 240 KB, lie in the
// shared memory of the four, and exchanges between them are as fast as the second-level cache.
#include "cluster/partition.cuh"
#include "cluster/primitives.cuh"
#include "lenet5.cuh"
#include "output.cuh"
#pragma once
#define PACKED_COPY  // update.cu writes one

constexpr int THREADS = 256, WARPS = THREADS / WARP;      // that work on an image
constexpr int HELPERS = 128;                              // train_alone.cu: that prepare the next one and move C5, F6, output
constexpr int ALONE_THREADS = THREADS + HELPERS;
constexpr int IMAGES_A_GROUP = 1;

constexpr int X_ROWS = 12, X_STRIDE = 34;                 // of the input, what a quarter of S2's places looks at
constexpr int X_SIZE = X_ROWS * X_STRIDE;
constexpr int S2_STRIDE = 22, S2_MAP = S2_SIZE * S2_STRIDE;
constexpr int HALF = S2_SIZE / 2, HALF_ROWS = OWN_PLACES / HALF;  // a block's places are seven half rows of seven
constexpr int C1_STRIDE = 34, C1_SECOND = 16;             // a half row of S2 stands on two of 14 in C1
constexpr int C3_STRIDE = C3_SIZE, ZERO_ROWS = KERNEL - 1, C3_MAP = (C3_SIZE + ZERO_ROWS) * C3_STRIDE;
constexpr int BACK = 8;                                   // floats of a half row that comes back to S2, padded
constexpr int BACK_SLOT = HALF_ROWS * BACK;
constexpr int C1_PACK = C3_WEIGHT;                        // 168 parameters of C1 and S2: the first of the flat buffer
constexpr int OWN_C3 = OWN_PAIRS * TAPS + 3 * OWN_MAPS;   // 387 parameters: kernels; biases of C3; coefficients, biases of S4
constexpr int C3_PACK = OWN_C3 + 1;
constexpr int SCRATCH = 3752;

// A block's part of the densely connected layers; in global memory `packed` [4][DENSE] holds a copy for each block.
struct alignas(16) Hidden {  // read four at a time
    float c5_weight[C5_UNITS * OWN_S4];
    float f6_weight[F6_UNITS * OWN_C5];
    float c5_bias[OWN_C5 + 2];
    float f6_bias[F6_UNITS];
};
constexpr bool TRAINED_OUTPUT = PARAMETERS > OUTPUT_WEIGHT;
struct Dense : Hidden {
    float output_weight[TRAINED_OUTPUT ? CLASSES * F6_UNITS : 2];
    float output_bias[TRAINED_OUTPUT ? (CLASSES + 3) / 4 * 4 : 2];
};
constexpr int DENSE = sizeof(Dense) / sizeof(float);
static_assert(sizeof(Dense) % 16 == 0, "one bulk copy");

// Where float `place` of block `rank`'s part lies in the flat buffer; NONE: padding.
__device__ inline int flat_of_dense(int rank, int place) {
    constexpr int F6 = C5_UNITS * OWN_S4, BIAS5 = F6 + F6_UNITS * OWN_C5, BIAS6 = BIAS5 + OWN_C5 + 2;
    constexpr int OUTPUT = BIAS6 + F6_UNITS, OUTPUT_BIASES = OUTPUT + CLASSES * F6_UNITS;
    if (place < F6) {
        const int input = place % OWN_S4;
        return C5_WEIGHT + place / OWN_S4 * S4_UNITS + OWN_MAP[rank][input / S4_AREA] * S4_AREA + input % S4_AREA;
    }
    if (place < BIAS5) return F6_WEIGHT + (place - F6) / OWN_C5 * C5_UNITS + OWN_C5 * rank + (place - F6) % OWN_C5;
    if (place < BIAS6) return place - BIAS5 < OWN_C5 ? C5_BIAS + OWN_C5 * rank + place - BIAS5 : NONE;
    if (place < OUTPUT) return F6_BIAS + place - BIAS6;
    if (!TRAINED_OUTPUT) return NONE;
    if (place < OUTPUT_BIASES) return OUTPUT_WEIGHT + place - OUTPUT;
    return place - OUTPUT_BIASES < CLASSES ? OUTPUT_BIAS + place - OUTPUT_BIASES : NONE;
}

// A new value of a parameter, for `packed`; F6's biases and the output are in every block's part.
__device__ inline void store_packed(float* __restrict__ packed, int parameter, float value) {
    constexpr int F6 = C5_UNITS * OWN_S4, BIAS5 = F6 + F6_UNITS * OWN_C5, BIAS6 = BIAS5 + OWN_C5 + 2;
    constexpr int OUTPUT = BIAS6 + F6_UNITS, OUTPUT_BIASES = OUTPUT + CLASSES * F6_UNITS;
    if (parameter < C5_WEIGHT) return;
    if (parameter < C5_BIAS) {
        const int unit = (parameter - C5_WEIGHT) / S4_UNITS, input = (parameter - C5_WEIGHT) % S4_UNITS;
        const int map = input / S4_AREA;
        packed[PARTITION.block[map] * DENSE + unit * OWN_S4 + PARTITION.place[map] * S4_AREA + input % S4_AREA] = value;
    } else if (parameter < F6_WEIGHT) {
        const int unit = parameter - C5_BIAS;
        packed[unit / OWN_C5 * DENSE + BIAS5 + unit % OWN_C5] = value;
    } else if (parameter < F6_BIAS) {
        const int unit = (parameter - F6_WEIGHT) / C5_UNITS, input = (parameter - F6_WEIGHT) % C5_UNITS;
        packed[input / OWN_C5 * DENSE + F6 + unit * OWN_C5 + input % OWN_C5] = value;
    } else {
        const int place = parameter < OUTPUT_WEIGHT ? BIAS6 + parameter - F6_BIAS
                                                    : (parameter < OUTPUT_BIAS ? OUTPUT + parameter - OUTPUT_WEIGHT
                                                                               : OUTPUT_BIASES + parameter - OUTPUT_BIAS);
#pragma unroll
        for (int rank = 0; rank < CLUSTER; ++rank) packed[rank * DENSE + place] = value;
    }
}

// Where parameter `place` of block `rank`'s 387 of C3 and S4 lies in the flat buffer.
__device__ inline int flat_of_c3(int rank, int place) {
    constexpr int WEIGHTS = OWN_PAIRS * TAPS;
    if (place < WEIGHTS) return C3_WEIGHT + PARTITION.pair[rank][place / TAPS] * TAPS + place % TAPS;
    const int field = (place - WEIGHTS) / OWN_MAPS, map = OWN_MAP[rank][(place - WEIGHTS) % OWN_MAPS];
    return (field == 0 ? C3_BIAS : (field == 1 ? S4_COEFFICIENT : S4_BIAS)) + map;
}

// What comes from the other blocks, and the rest. An mbarrier each.
enum Mail {
    MAIL_S2,       // outputs of S2, all of them
    MAIL_C5,       // what the blocks contribute to the own units of C5
    MAIL_F6,       // what they contribute to F6
    MAIL_D_C5,     // dE/da of C5
    MAIL_BACK,     // what the blocks' maps of C3 send back to the own places of S2
    MAIL_C1,       // gradients of C1 and S2 from the blocks' quarters; then no block reads anything of this image any more
    MAIL_WEIGHTS,  // train_images.cu: C5, F6 and output
    MAILS
};

struct Memory {
    Dense dense;
    // Outputs of the layers. In the backward pass dE/da overwrites y in C1 and C3.
    alignas(16) float x[2][X_SIZE];                        // this image, and the next
    alignas(16) float s2[S2_MAPS * S2_MAP];
    alignas(16) float scratch[SCRATCH];                    // partial sums
    alignas(16) float c3[OWN_MAPS * C3_MAP + ZERO_ROWS * C3_STRIDE];  // each map between rows of zeros
    alignas(16) float s2_back[S2_MAPS * MOST_FEEDERS * BACK_SLOT];    // slots that aren't used are zero
    alignas(16) float c1[C1_MAPS * HALF_ROWS * C1_STRIDE];
    alignas(16) float c1_weight[C1_MAPS * KERNEL_STRIDE];
    float c1_rest[C1_PACK - C1_MAPS * TAPS];               // biases of C1, coefficients and biases of S2
    alignas(16) float c3_weight[OWN_PAIRS * KERNEL_STRIDE];
    float c3_rest[3 * OWN_MAPS];                           // biases of C3, coefficients and biases of S4
    alignas(16) float s4[OWN_S4];
    alignas(16) float c5_parts[CLUSTER * OWN_C5], c5[OWN_C5 + 2], f6_parts[CLUSTER * F6_UNITS];
    alignas(16) float f6[F6_UNITS], d_f6[F6_UNITS], d_c5[C5_UNITS];
    alignas(16) float output[(CLASSES + 3) / 4 * 4], d_output[(CLASSES + 3) / 4 * 4];
    float c1_parts[CLUSTER * C1_PACK];
    float loss, correct;
    int label[2];
    alignas(8) unsigned long long mail[MAILS];
};

// With the state of the update rule: of each parameter its rate (RATES) or its velocity (NESTEROV).
struct AloneMemory : Memory {
    Dense state;
    float c3_state[C3_PACK], c1_state[C1_PACK];
};

constexpr int BIAS_C1 = 0, COEFFICIENT_S2 = C1_MAPS, BIAS_S2 = 2 * C1_MAPS;   // in c1_rest
constexpr int BIAS_C3 = 0, COEFFICIENT_S4 = OWN_MAPS, BIAS_S4 = 2 * OWN_MAPS;  // in c3_rest

// Parameter `place` of the 168 of C1 and S2, and of a block's 387 of C3 and S4, where the phases want it.
__device__ inline float& c1_parameter(Memory& m, int place) {
    return place < C1_MAPS * TAPS ? m.c1_weight[place / TAPS * KERNEL_STRIDE + place % TAPS]
                                  : m.c1_rest[place - C1_MAPS * TAPS];
}
__device__ inline float& c3_parameter(Memory& m, int place) {
    return place < OWN_PAIRS * TAPS ? m.c3_weight[place / TAPS * KERNEL_STRIDE + place % TAPS]
                                    : m.c3_rest[place - OWN_PAIRS * TAPS];
}

// ---- Barriers of a block

constexpr int WORKERS_BARRIER = 1, FREE_BARRIER = 2, STEP_BARRIER = 3;
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

// What is never written again: zeros. By threads `t`, t + threads, ...
__device__ inline void clear_margins(Memory& m, int t, int threads) {
    for (int k = t; k < OWN_MAPS * C3_MAP + ZERO_ROWS * C3_STRIDE; k += threads) m.c3[k] = 0.0f;
    for (int k = t; k < S2_MAPS * MOST_FEEDERS * BACK_SLOT; k += threads) m.s2_back[k] = 0.0f;
}

// C1 to S4, from the flat buffer.
__device__ inline void load_shared_weights(const float* __restrict__ parameters, Memory& m, int rank, int t, int threads) {
    for (int k = t; k < C1_PACK; k += threads) c1_parameter(m, k) = parameters[k];
    for (int k = t; k < OWN_C3; k += threads) c3_parameter(m, k) = parameters[flat_of_c3(rank, k)];
}

// N sums over the lanes of a warp, as warp_sums of lenet5.cuh: lane k gets the sum of values[k % N].
template <int N, int HALF_N = N / 2>
__device__ inline float sums_of_lanes(float (&values)[N]) {
    if constexpr (HALF_N >= 1) {
        const bool upper = (threadIdx.x & HALF_N) != 0;
#pragma unroll
        for (int k = 0; k < HALF_N; ++k) {
            const float keep = upper ? values[k + HALF_N] : values[k];
            const float give = upper ? values[k] : values[k + HALF_N];
            values[k] = keep + __shfl_xor_sync(0xffffffffu, give, HALF_N);
        }
        return sums_of_lanes<N, HALF_N / 2>(values);
    } else {
        float sum = values[0];
#pragma unroll
        for (int distance = N; distance < WARP; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
        return sum;
    }
}
