// Second kernel of a training step: add up what the images contribute to the gradient, and move the parameters.
// IMAGES_A_GROUP, as the form of the first kernel has it.
#include "form.cuh"
// PARAMETERS: 60,850 (softmax, ten classes) or 60,000 (RBF), as the network has it.
#include "output.cuh"
#include "rules.cuh"

constexpr int UPDATE_THREADS = 256, TILES = 16, SLICES = UPDATE_THREADS / TILES;
constexpr int TILE = 4;  // four units by four inputs of a dense layer's weights

// What a block does at a time: the gradients of 16 tiles.
//
// A tile of a dense layer is 4 x 4 weights: weight [j, i] is delta[j] * activation[i], so two float4 of an image's record
// serve 16 products. A tile of anything else is four neighbouring parameters, whose gradients are written in a group (C1 to
// S4) or a record (biases) as they are.
struct Task {
    int first_tile, tiles;    // of the field
    int parameter;            // the field's first parameter
    int inputs;               // of the dense layer; 0: not one
    int units;
    int vector, delta;        // places of activation (or gradient) and delta in a row
};

constexpr int tasks_of(int tiles) { return (tiles + TILES - 1) / TILES; }

constexpr int CLASS_TILES = (CLASSES + TILE - 1) / TILE;
constexpr int C5_TILES = C5_UNITS / TILE * (S4_UNITS / TILE), F6_TILES = F6_UNITS / TILE * (C5_UNITS / TILE);
constexpr int OUTPUT_TILES = PARAMETERS == OUTPUT_WEIGHT ? 0 : CLASS_TILES * (F6_UNITS / TILE);
constexpr int GROUP_TILES = GROUP / TILE, C5_BIAS_TILES = C5_UNITS / TILE, F6_BIAS_TILES = F6_UNITS / TILE;
constexpr int OUTPUT_BIAS_TILES = PARAMETERS == OUTPUT_WEIGHT ? 0 : CLASS_TILES;
// The first task of each field; the longest fields first.
constexpr int F6_TASKS = tasks_of(C5_TILES), OUTPUT_TASKS = F6_TASKS + tasks_of(F6_TILES);
constexpr int GROUP_TASKS = OUTPUT_TASKS + tasks_of(OUTPUT_TILES), C5_BIAS_TASKS = GROUP_TASKS + tasks_of(GROUP_TILES);
constexpr int F6_BIAS_TASKS = C5_BIAS_TASKS + tasks_of(C5_BIAS_TILES);
constexpr int OUTPUT_BIAS_TASKS = F6_BIAS_TASKS + tasks_of(F6_BIAS_TILES);
constexpr int TASKS = OUTPUT_BIAS_TASKS + tasks_of(OUTPUT_BIAS_TILES);

__device__ inline Task task_of(int number) {
    if (number < F6_TASKS) return {number * TILES, C5_TILES, C5_WEIGHT, S4_UNITS, C5_UNITS, RECORD_S4, RECORD_D_C5};
    if (number < OUTPUT_TASKS)
        return {(number - F6_TASKS) * TILES, F6_TILES, F6_WEIGHT, C5_UNITS, F6_UNITS, RECORD_C5, RECORD_D_F6};
    if (number < GROUP_TASKS)
        return {(number - OUTPUT_TASKS) * TILES, OUTPUT_TILES, OUTPUT_WEIGHT, F6_UNITS, CLASSES, RECORD_F6, RECORD_D_OUTPUT};
    if (number < C5_BIAS_TASKS) return {(number - GROUP_TASKS) * TILES, GROUP_TILES, 0, 0, GROUP, 0, 0};
    if (number < F6_BIAS_TASKS)
        return {(number - C5_BIAS_TASKS) * TILES, C5_BIAS_TILES, C5_BIAS, 0, C5_UNITS, RECORD_D_C5, 0};
    if (number < OUTPUT_BIAS_TASKS)
        return {(number - F6_BIAS_TASKS) * TILES, F6_BIAS_TILES, F6_BIAS, 0, F6_UNITS, RECORD_D_F6, 0};
    return {(number - OUTPUT_BIAS_TASKS) * TILES, OUTPUT_BIAS_TILES, OUTPUT_BIAS, 0, CLASSES, RECORD_D_OUTPUT, 0};
}

// The parameter that is row `row` (0 for a tile that is none of a dense layer), column `column` of a tile; NONE beyond the
// field.
__device__ inline int parameter_of(const Task& task, int tile, int row, int column) {
    tile += task.first_tile;
    if (tile >= task.tiles) return NONE;
    if (task.inputs == 0) {
        const int k = tile * TILE + column;
        return row == 0 && k < task.units ? task.parameter + k : NONE;
    }
    const int tiles_a_row = task.inputs / TILE, unit = tile / tiles_a_row * TILE + row;
    return unit < task.units ? task.parameter + unit * task.inputs + tile % tiles_a_row * TILE + column : NONE;
}

// Mean loss and number of right answers of the step, by one warp: lane by lane, then across the lanes.
__device__ inline void sum_losses(const float* __restrict__ records, int count, float* loss, int* correct) {
    float loss_sum = 0.0f, correct_sum = 0.0f;
    for (int image = threadIdx.x; image < count; image += WARP) {
        loss_sum += records[static_cast<size_t>(image) * RECORD + RECORD_LOSS];
        correct_sum += records[static_cast<size_t>(image) * RECORD + RECORD_CORRECT];
    }
    loss_sum = warp_sum(loss_sum);
    correct_sum = warp_sum(correct_sum);
    if (threadIdx.x == 0) {
        *loss = loss_sum / count;
        *correct = static_cast<int>(correct_sum);
    }
}

// dE/dw = sum over the images of the batch; then the optimiser's rule
//
//   parameters      [PARAMETERS]    in and out
//   rule ... rates                  see rules.cuh
//   groups          [groups][GROUP], records [batch][RECORD]  of the images, see lenet5.cuh
//   learning_rates  [steps]         of the epoch
//   shares          [steps]         NESTEROV: the weights' share of their average, after each step of the epoch
//   counter         [4]             step of the epoch, see lenet5.cuh; this kernel ends the step
//   losses, correct [steps]         out: mean loss and number of right answers, before the update
//   packed                          the cluster form's copy of C5, F6 and output, see cluster/form.cuh: out
//
// A block takes 16 tiles. Its half warp s adds up rows s, s + 16, s + 32, ...; then the sixteen sums are added in order. So
// a sum is always formed in the same way: the result doesn't depend on the number of blocks, and two runs are equal bit by
// bit. (Adding with atomics would be simpler, in an order that differs from run to run.)
extern "C" __global__ void __launch_bounds__(UPDATE_THREADS)
lenet5_update(float* __restrict__ parameters, int rule, float* __restrict__ velocity, float* __restrict__ average,
              float momentum, float weight_decay, const float* __restrict__ rates, const float* __restrict__ groups,
              const float* __restrict__ records, const float* __restrict__ learning_rates,
              const float* __restrict__ shares, int* counter, float* __restrict__ losses, int* __restrict__ correct
#ifdef PACKED_COPY
              , float* __restrict__ packed
#endif
) {
    __shared__ float4 slice_sums[SLICES][TILE][TILES];
    const int step = counter[UPDATE_STEP], count = images_of_step(counter, step);
    if (count == 0) return;
    const Rule moving{rule, velocity, average, momentum, weight_decay, rates, learning_rates[step], shares[step]};
    const int own_tile = threadIdx.x % TILES, slice = threadIdx.x / TILES;
    for (int number = blockIdx.x; number < TASKS; number += gridDim.x) {
        const Task task = task_of(number);
        // The 256 parameters of the block: each thread will finish one, neighbours in a row of the weights.
        const int k = threadIdx.x, parameter = parameter_of(task, k / TILE % TILES, k / (TILE * TILES), k % TILE);
        const float value = parameters[parameter == NONE ? 0 : parameter];  // under way while the rows are read
        const int tile = at_most(task.first_tile + own_tile, task.tiles - 1);
        float4 sum[TILE] = {};
        if (task.inputs != 0) {
            const int tiles_a_row = task.inputs / TILE;
            const float* row = records + task.vector + tile % tiles_a_row * TILE;
            const int delta = task.delta - task.vector + (tile / tiles_a_row - tile % tiles_a_row) * TILE;
#pragma unroll 4
            for (int image = slice; image < count; image += SLICES) {
                const float* own = row + static_cast<size_t>(image) * RECORD;
                const float4 y = *reinterpret_cast<const float4*>(own), d = *reinterpret_cast<const float4*>(own + delta);
                add_product(sum[0], y, d.x);
                add_product(sum[1], y, d.y);
                add_product(sum[2], y, d.z);
                add_product(sum[3], y, d.w);
            }
        } else {
            const bool shared = task.parameter == 0;
            const int rows = shared ? (count + IMAGES_A_GROUP - 1) / IMAGES_A_GROUP : count, stride = shared ? GROUP : RECORD;
            const float* row = (shared ? groups : records) + task.vector + tile * TILE;
#pragma unroll 4
            for (int k = slice; k < rows; k += SLICES)
                add_product(sum[0], *reinterpret_cast<const float4*>(row + static_cast<size_t>(k) * stride), 1.0f);
        }
#pragma unroll
        for (int unit = 0; unit < TILE; ++unit) slice_sums[slice][unit][own_tile] = sum[unit];
        __syncthreads();
        if (parameter != NONE) {
            const float* sums = reinterpret_cast<const float*>(slice_sums) + k;
            float gradient = sums[0];
#pragma unroll
            for (int s = 1; s < SLICES; ++s) gradient += sums[s * UPDATE_THREADS];
            const float after = moved(moving, parameter, value, gradient);
            parameters[parameter] = after;
#ifdef PACKED_COPY
            store_packed(packed, parameter, after);
#endif
        }
        __syncthreads();
    }
    if (blockIdx.x == gridDim.x - 1 && threadIdx.x < WARP) {
        sum_losses(records, count, losses + step, correct + step);
        if (threadIdx.x == 0) counter[IMAGES_STEP] = step + 1;
    }
}
