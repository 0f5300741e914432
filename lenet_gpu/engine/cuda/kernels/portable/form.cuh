// The portable form: one image a thread block, for every GPU since Turing. Its shared memory.
#include "lenet5.cuh"

// ---- Shared memory of a block that works on one image

constexpr int THREADS = 512, WARPS = THREADS / WARP;
constexpr int IMAGES_A_GROUP = 1;

constexpr int X_STRIDE = 34;                            // rows start 2 banks apart
constexpr int C1_STRIDE = 30, C1_MAP = C1_SIZE * C1_STRIDE;
constexpr int S2_MAP = 200;                             // 196 units; maps start 8 banks apart
constexpr int SCRATCH = 2000;

// The fields that are copied to the record as they are.
struct Exchanged {
    float s4[S4_UNITS], c5[C5_UNITS], f6[F6_UNITS];
    float d_c5[C5_UNITS], d_f6[F6_UNITS], d_output[OUTPUT_FIELD];
    float loss, correct;
};
static_assert(sizeof(Exchanged) == RECORD * sizeof(float), "the same fields in the same order");

struct Memory : Exchanged {
    // Outputs of the layers. In the backward pass dE/da overwrites y in C1 and C3.
    float x[INPUT_SIZE * X_STRIDE];
    float c1[C1_MAPS * C1_MAP];
    float s2[S2_MAPS * S2_MAP];
    float c3[C3_MAPS * C3_AREA];
    float output[(CLASSES + 3) / 4 * 4];  // scores of the classes, of which the largest wins
    // Weights of C1 to S4.
    float c1_weight[C1_MAPS * KERNEL_STRIDE];
    float c3_weight[C3_PAIRS * KERNEL_STRIDE];
    float c1_bias[8], s2_coefficient[8], s2_bias[8];
    float c3_bias[C3_MAPS], s4_coefficient[S4_MAPS], s4_bias[S4_MAPS];
    float scratch[SCRATCH];  // partial sums; dE/da of S2
};
static_assert(sizeof(Memory) <= 64 * 1024, "a Turing multiprocessor has 64 KiB");
