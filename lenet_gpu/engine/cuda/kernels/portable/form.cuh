// The portable form: one image a thread block, for every GPU since Turing. Its shared memory.
#include "lenet5.cuh"

// ---- Shared memory of a block that works on one image

constexpr int THREADS = 512, WARPS = THREADS / WARP;
constexpr int IMAGES_A_GROUP = 1;

// Rows are as long as makes the lanes of half a warp, which read two floats each, meet in 16 different pairs of banks.
constexpr int X_STRIDE = 46;                                   // two rows on: 92 = 28 modulo 32, right behind 14 pairs
constexpr int C1_STRIDE = 30, C1_MAP = C1_SIZE * C1_STRIDE;    // likewise: 60 = 28 modulo 32
constexpr int S2_STRIDE = 22, S2_MAP = S2_SIZE * S2_STRIDE;    // see forward_c3_s4
constexpr int C3_MAP = C3_AREA + 2;                            // the same place of 16 maps: 16 pairs of banks
constexpr int SCRATCH = 3536;

// The fields that are copied to the record as they are.
struct Exchanged {
    float s4[S4_UNITS], c5[C5_UNITS], f6[F6_UNITS];
    float d_c5[C5_UNITS], d_f6[F6_UNITS], d_output[OUTPUT_FIELD];
    float loss, correct;
};
static_assert(sizeof(Exchanged) == RECORD * sizeof(float), "the same fields in the same order");

// Partial sums. Once the record is copied, its fields are free, too: the two follow one another.
struct Scratch {
    float scratch[SCRATCH];
};

// The weights of C1 to S4, in the order of the parameters.
struct Weights {
    float c1_weight[C1_MAPS * KERNEL_STRIDE];
    float c1_bias[C1_MAPS], s2_coefficient[S2_MAPS], s2_bias[S2_MAPS];
    float padding[2];  // kernels start on 16-byte boundaries
    float c3_weight[C3_PAIRS * KERNEL_STRIDE];
    float c3_bias[C3_MAPS], s4_coefficient[S4_MAPS], s4_bias[S4_MAPS];
};

struct Memory : Exchanged, Scratch, Weights {
    // Outputs of the layers. In the backward pass dE/da overwrites y in C1 and C3.
    float x[INPUT_SIZE * X_STRIDE];
    float c1[C1_MAPS * C1_MAP];
    float s2[S2_MAPS * S2_MAP];
    float c3[C3_MAPS * C3_MAP];
    float output[(CLASSES + 3) / 4 * 4];  // scores of the classes, of which the largest wins
};
static_assert(sizeof(Memory) <= 64 * 1024, "a Turing multiprocessor has 64 KiB");
