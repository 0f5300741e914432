// The throughput form: two images a thread block, two blocks a multiprocessor, for large batches. Its shared memory.
//
// Every weight that is read serves both images, and their gradients are added before they are written. While one block
// waits, at a barrier or for the second-level cache, the other one computes.
#include "lenet5.cuh"

constexpr int THREADS = 256, WARPS = THREADS / WARP;
constexpr int BLOCKS_A_MULTIPROCESSOR = 2;
constexpr int IMAGES_A_GROUP = 2;      // that a block trains with at a time
constexpr int IMAGES_A_SCORING = 4;    // that a block infers at a time: without gradients there is room for more

// ---- Shared memory. Strides are such that the lanes of a warp meet in few banks, and rows start on 8 bytes.

constexpr int X_STRIDE = 46;           // two rows are 28 banks apart, as are 14 patches side by side
constexpr int C1_STRIDE = 30, C1_MAP = C1_SIZE * C1_STRIDE;  // likewise
constexpr int S2_STRIDE = 22;          // five pairs of rows lie in banks 0, 12, 24, 4, 16
constexpr int S2_MAP = S2_SIZE * S2_STRIDE + 2;  // maps start 22 banks apart: those of an even and an odd one are others
constexpr int C3_MAP = C3_AREA + 2;    // maps start 6 banks apart

constexpr int SCORES = (CLASSES + 3) / 4 * 4;
constexpr bool OUTPUT_IN_SHARED = CLASSES <= 26;  // the weights of more classes are read from the cache

struct Weights {
    float c1_weight[C1_MAPS * KERNEL_STRIDE];
    float c3_weight[C3_PAIRS * KERNEL_STRIDE];
    float c1_bias[8], s2_coefficient[8], s2_bias[8];
    float c3_bias[C3_MAPS], s4_coefficient[S4_MAPS], s4_bias[S4_MAPS];
    float output_weight[OUTPUT_IN_SHARED ? CLASSES * F6_UNITS : 4];  // the codes, where the output is made of RBF units
    float output_bias[SCORES];
};

// Outputs of the layers of an image. In the backward pass dE/da overwrites y in C1 and C3.
struct TrainedImage {
    float x[INPUT_SIZE * X_STRIDE];
    float c1[C1_MAPS * C1_MAP];
    float s2[S2_MAPS * S2_MAP];
    float c3[C3_MAPS * C3_MAP];
    float padding[2];  // the same row of both images lies in other banks
};
static_assert(sizeof(TrainedImage) / sizeof(float) % 4 == 2, "C3's rows of two images are 2 banks apart, modulo 4");

// Partial sums, phase by phase; dE/da of S2.
constexpr int F6_SLICES = 7, C5_SLICES = 2;
constexpr int S2_TASKS = 24, C1_TASKS = 24;
constexpr int S2_SUMS = IMAGES_A_GROUP * S2_MAPS * S2_AREA;  // after d of S2: [24 tasks][4]
constexpr int SCRATCH = S2_SUMS + S2_TASKS * 4;
constexpr int C1_SUMS = 0;  // where d of S2 has been: [24 tasks][32]
static_assert(C1_SUMS + C1_TASKS * WARP <= S2_SUMS, "room for C1's sums");
static_assert(F6_SLICES * IMAGES_A_GROUP * C5_UNITS <= SCRATCH && C5_SLICES * IMAGES_A_GROUP * S4_UNITS <= SCRATCH,
              "room for the slices of the dense layers");

// A block that trains.
struct Memory : Weights {
    static constexpr int IMAGES = IMAGES_A_GROUP;
    static constexpr bool KEEPS_CONVOLUTIONS = true;
    TrainedImage image[IMAGES];
    float scratch[SCRATCH];
    float s4[IMAGES][S4_UNITS], c5[IMAGES][C5_UNITS], f6[IMAGES][F6_UNITS], output[IMAGES][SCORES];
    float d_c5[C5_UNITS][IMAGES], d_f6[F6_UNITS][IMAGES], d_output[IMAGES][SCORES];
    float zeros[12];  // a row of C3's d beyond the map
    float loss[IMAGES], correct[IMAGES];
    int label[IMAGES];
    int padding[2];
};

// A block that infers keeps neither C1 nor C3.
struct ScoredImage {
    float x[INPUT_SIZE * X_STRIDE];
    float s2[S2_MAPS * S2_MAP];
};
struct ScoringMemory : Weights {
    static constexpr int IMAGES = IMAGES_A_SCORING;
    static constexpr bool KEEPS_CONVOLUTIONS = false;
    ScoredImage image[IMAGES];
    float s4[IMAGES][S4_UNITS], c5[IMAGES][C5_UNITS], f6[IMAGES][F6_UNITS], output[IMAGES][SCORES];
};

// A Hopper multiprocessor has 228 KiB, of which each block takes one for the system.
static_assert(BLOCKS_A_MULTIPROCESSOR * (sizeof(Memory) + 1024) <= 228 * 1024, "two blocks a multiprocessor");
static_assert(BLOCKS_A_MULTIPROCESSOR * (sizeof(ScoringMemory) + 1024) <= 228 * 1024, "two blocks a multiprocessor");

// The thread's index in its block. The compiler can't see that it is the same in every phase: else it would compute the
// addresses of all phases before the loop over the images, and spill them.
__device__ inline int thread_of_block() {
    int thread = threadIdx.x;
    asm volatile("" : "+r"(thread));
    return thread;
}

// The thread's warp, by which tasks are given out that are not the same for all warps. The grid's second half of blocks,
// which meets the first one on the multiprocessors, gives them to other warps, and so burdens the other schedulers.
__device__ inline int warp_for_tasks() { return thread_of_block() / WARP ^ (2 * blockIdx.x < gridDim.x ? 0 : 2); }
