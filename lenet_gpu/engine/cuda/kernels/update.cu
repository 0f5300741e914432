// Second kernel of a training step: add up what the images contribute to the gradient, and move the parameters.
// IMAGES_A_GROUP, as the form of the first kernel has it.
#include "form.cuh"
// PARAMETERS: 60,850 (softmax, ten classes) or 60,000 (RBF), as the network has it.
#include "output.cuh"
#include "rules.cuh"

constexpr int UPDATE_THREADS = 256;
constexpr int TILE = 4;                                              // four units by four inputs of a dense layer's weights
constexpr int SIDE = 4, TILES = SIDE * SIDE, BLOCK = SIDE * TILE;    // tiles, and weights, of a square
constexpr int SLICES = UPDATE_THREADS / TILES;                       // of the images

// What a block does at a time: the gradients of 16 tiles.
//
// Of a dense layer they are a square of 16 x 16 weights. Weight [j, i] is delta[j] * activation[i], so 32 numbers of an
// image's record serve 256 products: a thread block copies them to shared memory, those of 128 images at once, and each
// thread reads two float4 for a tile's 16 products. A tile of anything else is four neighbouring parameters, whose gradients
// are written in a group (C1 to S4) or a record (biases) as they are.
struct Task {
    int unit, input;          // the square's first tile, or the first of all tiles (`input`)
    int parameter;            // the field's first parameter
    int units, inputs;        // of the dense layer; inputs 0: not one
    int vector, delta;        // places of activation (or gradient) and delta in a row
};

__device__ constexpr int groups_of(int count, int size) { return (count + size - 1) / size; }
constexpr int squares_of(int units, int inputs) { return groups_of(units, BLOCK) * groups_of(inputs, BLOCK); }
constexpr int runs_of(int parameters) { return groups_of(parameters, TILES * TILE); }

constexpr int TRAINED_CLASSES = PARAMETERS == OUTPUT_WEIGHT ? 0 : CLASSES;
// The first task of each field; the longest fields first.
constexpr int F6_TASKS = squares_of(C5_UNITS, S4_UNITS), OUTPUT_TASKS = F6_TASKS + squares_of(F6_UNITS, C5_UNITS);
constexpr int GROUP_TASKS = OUTPUT_TASKS + squares_of(TRAINED_CLASSES, F6_UNITS);
constexpr int C5_BIAS_TASKS = GROUP_TASKS + runs_of(GROUP), F6_BIAS_TASKS = C5_BIAS_TASKS + runs_of(C5_UNITS);
constexpr int OUTPUT_BIAS_TASKS = F6_BIAS_TASKS + runs_of(F6_UNITS), TASKS = OUTPUT_BIAS_TASKS + runs_of(TRAINED_CLASSES);

template <int UNITS, int INPUTS>
__device__ inline Task square(int number, int parameter, int vector, int delta) {
    constexpr int ACROSS = groups_of(INPUTS, BLOCK);
    return {number / ACROSS * SIDE, number % ACROSS * SIDE, parameter, UNITS, INPUTS, vector, delta};
}
__device__ inline Task run(int number, int parameter, int units, int vector) {
    return {0, number * TILES, parameter, units, 0, vector, 0};
}

__device__ inline Task task_of(int number) {
    if (number < F6_TASKS) return square<C5_UNITS, S4_UNITS>(number, C5_WEIGHT, RECORD_S4, RECORD_D_C5);
    if (number < OUTPUT_TASKS) return square<F6_UNITS, C5_UNITS>(number - F6_TASKS, F6_WEIGHT, RECORD_C5, RECORD_D_F6);
    if (number < GROUP_TASKS)
        return square<CLASSES, F6_UNITS>(number - OUTPUT_TASKS, OUTPUT_WEIGHT, RECORD_F6, RECORD_D_OUTPUT);
    if (number < C5_BIAS_TASKS) return run(number - GROUP_TASKS, 0, GROUP, 0);
    if (number < F6_BIAS_TASKS) return run(number - C5_BIAS_TASKS, C5_BIAS, C5_UNITS, RECORD_D_C5);
    if (number < OUTPUT_BIAS_TASKS) return run(number - F6_BIAS_TASKS, F6_BIAS, F6_UNITS, RECORD_D_F6);
    return run(number - OUTPUT_BIAS_TASKS, OUTPUT_BIAS, CLASSES, RECORD_D_OUTPUT);
}

// The parameter that is number k of the task's; NONE beyond the field. Those of a square go row by row.
__device__ inline int parameter_of(const Task& task, int k) {
    if (task.inputs == 0) {
        const int own = task.input * TILE + k;
        return k < TILES * TILE && own < task.units ? task.parameter + own : NONE;
    }
    const int unit = task.unit * TILE + k / BLOCK, input = task.input * TILE + k % BLOCK;
    return unit < task.units && input < task.inputs ? task.parameter + unit * task.inputs + input : NONE;
}

// The part of a square's records that is in shared memory: an image's activations and deltas. The lanes of half a warp read
// one image, those of the other half the next one: with the places of both kinds exchanged in every other image they meet in
// different banks.
constexpr int CHUNK = 128, QUADS = 2 * SIDE, LOADS = CHUNK * QUADS / UPDATE_THREADS;
static_assert(CHUNK % SLICES == 0 && CHUNK * QUADS == SLICES * TILES * TILE, "the sums of the slices take its place");

__device__ inline int place_in_chunk(int image, int quad) { return image * QUADS + (quad ^ image % 2 * SIDE); }

// A thread's tile of the square: its sum over every 16th image.
__device__ inline void sum_square(const Task& task, const float* __restrict__ records, int count, float4* chunk, float4 (&sum)[TILE]) {
    const int quad = threadIdx.x % QUADS, slice = threadIdx.x / TILES;
    const int tile = threadIdx.x % TILES, own_y = tile % SIDE, own_d = SIDE + tile / SIDE;
    // What a thread copies is the same quad of every 32nd image; beyond the layer it is the last one.
    const int place = quad < SIDE ? task.vector + at_most(task.input + quad, task.inputs / TILE - 1) * TILE
                                  : task.delta + at_most(task.unit + quad - SIDE, (task.units - 1) / TILE) * TILE;
#pragma unroll 1
    for (int first = 0; first < count; first += CHUNK) {
        const int images = at_most(count - first, CHUNK), image = threadIdx.x / QUADS;
        const float* row = records + static_cast<size_t>(first + image) * RECORD + place;
        float4 loaded[LOADS];  // all under way at once
#pragma unroll
        for (int k = 0; k < LOADS; ++k)
            if (image + k * (CHUNK / LOADS) < images)
                loaded[k] = *reinterpret_cast<const float4*>(row + k * (CHUNK / LOADS) * RECORD);
#pragma unroll
        for (int k = 0; k < LOADS; ++k)
            if (image + k * (CHUNK / LOADS) < images) chunk[place_in_chunk(image + k * (CHUNK / LOADS), quad)] = loaded[k];
        __syncthreads();
#pragma unroll 2
        for (int own = slice; own < images; own += SLICES) {
            const float4 y = chunk[place_in_chunk(own, own_y)], d = chunk[place_in_chunk(own, own_d)];
            add_product(sum[0], y, d.x);
            add_product(sum[1], y, d.y);
            add_product(sum[2], y, d.z);
            add_product(sum[3], y, d.w);
        }
        __syncthreads();
    }
}

// Four of the other parameters: the sum of every 16th row, each STRIDE floats long.
template <int STRIDE>
__device__ inline float4 sum_run(const Task& task, const float* __restrict__ rows, int count) {
    constexpr int AT_ONCE = 8;
    const int tile = at_most(task.input + static_cast<int>(threadIdx.x) % TILES, (task.units - 1) / TILE);
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 1
    for (int first = threadIdx.x / TILES; first < count; first += AT_ONCE * SLICES) {
        const float* row = rows + static_cast<size_t>(first) * STRIDE + task.vector + tile * TILE;
        float4 loaded[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; ++k) {
            loaded[k] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (first + k * SLICES < count) loaded[k] = *reinterpret_cast<const float4*>(row + k * SLICES * STRIDE);
        }
#pragma unroll
        for (int k = 0; k < AT_ONCE; ++k) add_product(sum, loaded[k], 1.0f);
    }
    return sum;
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
//   packed                          the cluster form's copy of the parameters, see cluster/form.cuh: out
//
// A block takes 16 tiles. Its half warp s adds up rows s, s + 16, s + 32, ...; then the sixteen sums are added in order. So
// a sum is always formed in the same way: the result doesn't depend on the number of blocks, and two runs are equal bit by
// bit. (Adding with atomics would be simpler, in an order that differs from run to run.)
extern "C" __global__ void __launch_bounds__(UPDATE_THREADS, 3)
lenet5_update(float* __restrict__ parameters, int rule, float* __restrict__ velocity, float* __restrict__ average,
              float momentum, float weight_decay, const float* __restrict__ rates, const float* __restrict__ groups,
              const float* __restrict__ records, const float* __restrict__ learning_rates,
              const float* __restrict__ shares, int* counter, float* __restrict__ losses, int* __restrict__ correct
#ifdef PACKED_COPY
              , float* __restrict__ packed
#endif
) {
    __shared__ float4 shared[SLICES * TILES * TILE];  // a chunk of the records, then the slices' sums
    wait_for_kernel_before();
    let_next_kernel_begin();
    const int step = counter[UPDATE_STEP], count = images_of_step(counter, step);
    if (count == 0) return;
    const Rule moving{rule, velocity, average, momentum, weight_decay, rates, learning_rates[step], shares[step]};
    for (int number = blockIdx.x; number < TASKS; number += gridDim.x) {
        const Task task = task_of(number);
        // The 256 parameters of the block: each thread will finish one. What is known of it is under way beside the rows.
        const int k = threadIdx.x, parameter = parameter_of(task, k), known = parameter == NONE ? 0 : parameter;
        const float value = parameters[known];
        const RuleState state = state_of(moving, known);
        float4* sums = shared + k / TILES * (TILES * TILE);
        if (task.inputs != 0) {
            const int tile = k % TILES, corner = tile / SIDE * TILE * SIDE + tile % SIDE;
            float4 sum[TILE] = {};
            sum_square(task, records, count, shared, sum);
#pragma unroll
            for (int unit = 0; unit < TILE; ++unit) sums[corner + unit * SIDE] = sum[unit];
        } else if (task.parameter == 0) {
            sums[k % TILES] = sum_run<GROUP>(task, groups, groups_of(count, IMAGES_A_GROUP));
        } else {
            sums[k % TILES] = sum_run<RECORD>(task, records, count);
        }
        __syncthreads();
        if (parameter != NONE) {
            const float* own = reinterpret_cast<const float*>(shared) + k;
            float gradient = own[0];
#pragma unroll
            for (int s = 1; s < SLICES; ++s) gradient += own[s * UPDATE_THREADS];
            const float after = moved(moving, parameter, value, gradient, state);
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
