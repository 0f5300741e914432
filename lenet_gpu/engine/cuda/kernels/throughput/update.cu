// Second kernel of a training step: add up what many images contribute to the gradient, and move the parameters.
#include "throughput/form.cuh"
// PARAMETERS: 60,850 (softmax, ten classes) or 60,000 (RBF), as the network has it.
#include "output.cuh"
#include "rules.cuh"

// The gradient of a dense layer is a product of two matrices, d [batch][units] turned over and y [batch][inputs]. A lane
// takes a square of 8x8 weights: 16 numbers of an image serve 64 products. A warp takes a tile of such squares and every
// eighth image of a split of the batch; the sums of a block's warps, and then those of all splits, are added in order.
// What a tile needs of the images goes through shared memory, some images at a time: while a block works on these, the
// next ones are on their way.
//
// So a sum is always formed in the same way, which depends on the batch size only: the result doesn't depend on the number
// of blocks, and two runs are equal bit by bit.

constexpr int UPDATE_THREADS = 256, UPDATE_WARPS = UPDATE_THREADS / WARP;
constexpr int SIDE = 8, SQUARE = SIDE * SIDE;

// Images of a split at least, and splits at most: of a batch of 448 or more there are 32 x 7 + 8 x 5 = 264 jobs with ten
// classes, two for each multiprocessor of a large GPU.
constexpr int SPLIT_IMAGES = 64, DENSE_SPLITS = 7, VECTOR_SPLITS = 5;

__device__ inline int splits_of(int batch, int most) {
    const int splits = (batch + SPLIT_IMAGES - 1) / SPLIT_IMAGES;
    return splits < most ? splits : most;
}

// What a tile needs of a few images, twice: a row is an image, of a quad (four numbers) each.
constexpr int STAGE_IMAGES = 32, STAGE_QUADS = 26;
using Stage = float4[2][STAGE_IMAGES][STAGE_QUADS];

// What a lane adds up: weights [j ... j + 7][i ... i + 7] of a dense layer.
struct Square {
    int d, y, d_step, y_step;   // places of d and y in a row of the stage, and how far the second quads are from the first
    int j, i;                   // of the first weight
    int units, inputs, weight;  // of the layer; its first weight's index
};

template <int UNITS, int INPUTS, int WEIGHT, int D, int Y, int LANES_J, int LANES_I>
struct DenseLayer {
    static constexpr int TILES_I = (INPUTS + SIDE * LANES_I - 1) / (SIDE * LANES_I);
    static constexpr int TILES = (UNITS + SIDE * LANES_J - 1) / (SIDE * LANES_J) * TILES_I;
    static constexpr int D_QUADS = 2 * LANES_J;
    static_assert(LANES_J * LANES_I <= WARP && INPUTS % 4 == 0 && SIDE == 8, "a lane a square");
    static_assert(D_QUADS + 2 * LANES_I <= STAGE_QUADS, "room in a row");

    static __device__ inline int first_unit(int tile, int k) { return (tile / TILES_I * LANES_J + k) * SIDE; }
    static __device__ inline int first_input(int tile, int k) { return (tile % TILES_I * LANES_I + k) * SIDE; }

    static __device__ inline Square square(int tile, int lane) {
        const int j = lane / LANES_I, i = lane % LANES_I;
        return {j, D_QUADS + i, LANES_J, LANES_I, j < LANES_J ? first_unit(tile, j) : UNITS, first_input(tile, i),
                UNITS, INPUTS, WEIGHT};
    }

    // Where the quad of a row of the stage is in a record: the first quads of all lanes' d, their second ones, then
    // those of y. Beyond the layer's edge the last one stands for what is not there; its sums are not used.
    static __device__ inline int field(int tile, int quad) {
        if (quad < D_QUADS)
            return D + at_most(first_unit(tile, quad % LANES_J) + quad / LANES_J * 4, (UNITS + 3) / 4 * 4 - 4);
        const int k = quad - D_QUADS;
        return Y + at_most(first_input(tile, k % LANES_I) + k / LANES_I * 4, INPUTS - 4);
    }
};
using C5 = DenseLayer<C5_UNITS, S4_UNITS, C5_WEIGHT, RECORD_D_C5, RECORD_S4, 3, 10>;                // tiles of 24x80
using F6 = DenseLayer<F6_UNITS, C5_UNITS, F6_WEIGHT, RECORD_D_F6, RECORD_C5, 4, 8>;                 // 32x64
using Output = DenseLayer<CLASSES, F6_UNITS, OUTPUT_WEIGHT, RECORD_D_OUTPUT, RECORD_F6, 2, 11>;     // 16x88
constexpr bool OUTPUT_IS_TRAINED = PARAMETERS > OUTPUT_WEIGHT;
constexpr int DENSE_TILES = C5::TILES + F6::TILES + (OUTPUT_IS_TRAINED ? Output::TILES : 0);

// The other gradients are sums of vectors: those of C1 to S4 over the groups, the biases' over the records. A lane takes
// two quads of them, a warp a tile of 64 quads and every eighth row of a split.
constexpr int GROUP_QUADS = GROUP / 4, C5_QUADS = C5_UNITS / 4, F6_QUADS = F6_UNITS / 4;
constexpr int VECTOR_QUADS = GROUP_QUADS + C5_QUADS + F6_QUADS + (OUTPUT_IS_TRAINED ? (CLASSES + 3) / 4 : 0);
constexpr int TILE_QUADS = 2 * WARP, VECTOR_TILES = (VECTOR_QUADS + TILE_QUADS - 1) / TILE_QUADS;

constexpr int TILES = DENSE_TILES + VECTOR_TILES;

// Sums of the splits, in floats: [DENSE_TILES][DENSE_SPLITS][2048], then [VECTOR_TILES][VECTOR_SPLITS][256].
constexpr int DENSE_SUMS = WARP * SQUARE, VECTOR_SUMS = TILE_QUADS * 4;
constexpr int SPLIT_SUMS = DENSE_TILES * DENSE_SPLITS * DENSE_SUMS + VECTOR_TILES * VECTOR_SPLITS * VECTOR_SUMS;
static_assert(VECTOR_SUMS == UPDATE_THREADS, "a thread finishes a parameter");

// Sums of the block's warps: 16 of a lane's 64 at a time. Rows are such that neither writing (a row a lane) nor reading
// (eight rows, four lanes) meets the same banks twice.
constexpr int ROUND = 2 * SIDE, ROUNDS = SQUARE / ROUND, LANE_STRIDE = WARP + 4;
union WarpSums {
    float square[UPDATE_WARPS][ROUND][LANE_STRIDE];
    float4 vector[UPDATE_WARPS][TILE_QUADS];
    float losses[2][UPDATE_WARPS];
};

// The update rule, which is asked for this step's rate and share when it is needed: until then they would take registers.
struct LateRule {
    int number;
    float* velocity;
    float* average;
    float momentum, weight_decay;
    const float* rates;
    const float* learning_rate;
    const float* share;
    __device__ inline Rule now() const {
        return {number, velocity, average, momentum, weight_decay, rates, *learning_rate, *share};
    }
};

// The part of `rows` rows that is the split's: [first, end).
struct Part {
    int first, end;
};
__device__ inline Part part_of(int rows, int split, int splits) {
    const int size = (rows + splits - 1) / splits, first = split * size, end = first + size;
    return {first, end < rows ? end : rows};
}

__device__ inline void load_eight(const float4* quads, int step, float (&values)[SIDE]) {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
        const float4 four = quads[k * step];
        values[4 * k] = four.x;
        values[4 * k + 1] = four.y;
        values[4 * k + 2] = four.z;
        values[4 * k + 3] = four.w;
    }
}

__device__ inline void add_products(float (&sum)[SIDE][SIDE], const Square& square, const float4* row) {
    float d[SIDE], y[SIDE];
    load_eight(row + square.d, square.d_step, d);
    load_eight(row + square.y, square.y_step, y);
#pragma unroll
    for (int j = 0; j < SIDE; ++j)
#pragma unroll
        for (int i = 0; i < SIDE; ++i) sum[j][i] += d[j] * y[i];
}

// A thread's part of the stage's images: a quad of every eighth one.
struct Fetched {
    static constexpr int ROWS = UPDATE_THREADS / STAGE_QUADS < 8 ? UPDATE_THREADS / STAGE_QUADS : 8;
    static constexpr int TURNS = STAGE_IMAGES / ROWS;
    static_assert(STAGE_IMAGES % ROWS == 0, "whole turns");
    float4 quad[TURNS];

    // `field` is that of the thread's quad in the record of the first image.
    __device__ inline void fetch(const float* __restrict__ field, int images) {
        const int row = thread_of_block() / STAGE_QUADS;
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn)
            if (row < ROWS && row + turn * ROWS < images)
                quad[turn] = *reinterpret_cast<const float4*>(field + (row + turn * ROWS) * RECORD);
    }

    __device__ inline void store(float4 (&stage)[STAGE_IMAGES][STAGE_QUADS], int images) const {
        const int thread = thread_of_block(), row = thread / STAGE_QUADS;
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn)
            if (row < ROWS && row + turn * ROWS < images) stage[row + turn * ROWS][thread % STAGE_QUADS] = quad[turn];
    }
};

// The index of sum [row][column] of a lane's square among the parameters; NONE beyond the layer's edge.
__device__ inline int parameter_of(const Square& square, int row, int column) {
    const int j = square.j + row, i = square.i + column;
    return j < square.units && i < square.inputs ? square.weight + j * square.inputs + i : NONE;
}

// Rows of which a lane adds up a quad.
struct Rows {
    const float* first;
    int stride, count;
};

// The sums over every eighth row, by one warp of eight. Eight rows of both at a time: so many loads are under way.
__device__ inline void sum_of_rows(const Rows (&rows)[2], float4 (&sum)[2]) {
    constexpr int AT_A_TIME = 8;
    const int warp = thread_of_block() / WARP, count = rows[0].count > rows[1].count ? rows[0].count : rows[1].count;
#pragma unroll 1
    for (int first = warp; first < count; first += AT_A_TIME * UPDATE_WARPS) {
        float4 four[2][AT_A_TIME];
#pragma unroll
        for (int n = 0; n < AT_A_TIME; ++n)
#pragma unroll
            for (int k = 0; k < 2; ++k) {
                const int row = first + n * UPDATE_WARPS;
                four[k][n] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                if (row < rows[k].count)
                    four[k][n] =
                        *reinterpret_cast<const float4*>(rows[k].first + static_cast<size_t>(row) * rows[k].stride);
            }
#pragma unroll
        for (int n = 0; n < AT_A_TIME; ++n)
#pragma unroll
            for (int k = 0; k < 2; ++k) add_product(sum[k], four[k][n], 1.0f);
    }
}

// The index of a vector's first number among the parameters; GROUP ones are themselves.
__device__ inline int parameter_of_quad(int quad) {
    if (quad < GROUP_QUADS) return quad * 4;
    if (quad < GROUP_QUADS + C5_QUADS) return C5_BIAS + (quad - GROUP_QUADS) * 4;
    if (quad < GROUP_QUADS + C5_QUADS + F6_QUADS) return F6_BIAS + (quad - GROUP_QUADS - C5_QUADS) * 4;
    return OUTPUT_BIAS + (quad - GROUP_QUADS - C5_QUADS - F6_QUADS) * 4;
}

// Whether this block is the last one of a tile's to come here: by then the splits' sums of all of them are in memory.
__device__ inline bool is_last(int splits, int* ticket) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last = atomicAdd(ticket, 1) == splits - 1;
        if (last) *ticket = 0;  // for the next step
        __threadfence();
    }
    __syncthreads();
    return last;
}

// The sum over the splits, in order, whichever block came last.
template <int MOST>
__device__ inline float sum_of_splits(const float* sums, int stride, int splits) {
    float sum = __ldcg(sums);
#pragma unroll
    for (int split = 1; split < MOST; ++split)
        if (split < splits) sum += __ldcg(sums + split * stride);
    return sum;
}

// Mean loss and number of right answers of the step: lane by lane, across the lanes, then warp by warp.
__device__ inline void sum_losses(
    const float* __restrict__ records, int count, float* loss, int* correct, WarpSums& sums) {
    const int warp = thread_of_block() / WARP, lane = thread_of_block() % WARP;
    float loss_sum = 0.0f, correct_sum = 0.0f;
#pragma unroll 8
    for (int image = lane * UPDATE_WARPS + warp; image < count; image += UPDATE_THREADS) {
        loss_sum += records[static_cast<size_t>(image) * RECORD + RECORD_LOSS];
        correct_sum += records[static_cast<size_t>(image) * RECORD + RECORD_CORRECT];
    }
    loss_sum = warp_sum(loss_sum);
    correct_sum = warp_sum(correct_sum);
    if (lane == 0) {
        sums.losses[0][warp] = loss_sum;
        sums.losses[1][warp] = correct_sum;
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int w = 1; w < UPDATE_WARPS; ++w) {
        loss_sum += sums.losses[0][w];
        correct_sum += sums.losses[1][w];
    }
    *loss = loss_sum / count;
    *correct = static_cast<int>(correct_sum);
}

// A tile and a split of dense layers.
__device__ inline void update_dense(
    int tile, int split, int splits, float* parameters, const LateRule& late, const float* __restrict__ records, int count,
    float* __restrict__ split_sums, int* ticket, Stage& stage, WarpSums& sums) {
    const auto square_of = [&](int lane) {
        if (tile < C5::TILES) return C5::square(tile, lane);
        if (!OUTPUT_IS_TRAINED || tile < C5::TILES + F6::TILES) return F6::square(tile - C5::TILES, lane);
        return Output::square(tile - C5::TILES - F6::TILES, lane);
    };
    const auto field_of = [&](int quad) {
        if (tile < C5::TILES) return C5::field(tile, quad);
        if (!OUTPUT_IS_TRAINED || tile < C5::TILES + F6::TILES) return F6::field(tile - C5::TILES, quad);
        return Output::field(tile - C5::TILES - F6::TILES, quad);
    };
    float a[SIDE][SIDE] = {};
    {
        const int warp = thread_of_block() / WARP, lane = thread_of_block() % WARP;
        const Square own = square_of(lane);
        const Part part = part_of(count, split, splits);
        const float* field =
            records + static_cast<size_t>(part.first) * RECORD + field_of(thread_of_block() % STAGE_QUADS);
        Fetched coming;
        coming.fetch(field, part.end - part.first);
        int which = 0;
#pragma unroll 1
        for (int first = part.first; first < part.end; first += STAGE_IMAGES, which ^= 1) {
            const int images = at_most(part.end - first, STAGE_IMAGES);
            coming.store(stage[which], images);
            field += STAGE_IMAGES * RECORD;
            coming.fetch(field, part.end - first - STAGE_IMAGES);
            // One barrier is enough: what is overwritten next was read before it.
            __syncthreads();
#pragma unroll 1
            for (int image = warp; image < images; image += UPDATE_WARPS) add_products(a, own, stage[which][image]);
        }
    }
    // From here on a thread takes column thread % 8 of the square of lane thread / 8.
    const int thread = thread_of_block(), warp = thread / WARP, lane = thread % WARP;
    const int column = thread % SIDE, other = thread / SIDE;
    const Square finished = square_of(other);
    const Rule rule = late.now();
#pragma unroll
    for (int round = 0; round < ROUNDS; ++round) {
#pragma unroll
        for (int k = 0; k < ROUND; ++k) sums.square[warp][k][lane] = a[2 * round + k / SIDE][k % SIDE];
        __syncthreads();
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = 2 * round + half;
            float sum = sums.square[0][half * SIDE + column][other];
#pragma unroll
            for (int w = 1; w < UPDATE_WARPS; ++w) sum += sums.square[w][half * SIDE + column][other];
            if (splits > 1) {
                split_sums[split * DENSE_SUMS + row * UPDATE_THREADS + thread] = sum;
                continue;
            }
            const int parameter = parameter_of(finished, row, column);
            if (parameter != NONE) parameters[parameter] = moved(rule, parameter, parameters[parameter], sum);
        }
        __syncthreads();
    }
    if (splits == 1 || !is_last(splits, ticket)) return;
    float gradient[SIDE];
#pragma unroll
    for (int row = 0; row < SIDE; ++row)
        gradient[row] = sum_of_splits<DENSE_SPLITS>(split_sums + row * UPDATE_THREADS + thread, DENSE_SUMS, splits);
#pragma unroll
    for (int row = 0; row < SIDE; ++row) {
        const int parameter = parameter_of(finished, row, column);
        if (parameter != NONE) parameters[parameter] = moved(rule, parameter, parameters[parameter], gradient[row]);
    }
}

// A tile and a split of vectors.
__device__ inline void update_vectors(
    int tile, int split, int splits, float* parameters, const LateRule& late, const float* __restrict__ groups,
    const float* __restrict__ records, int count, float* __restrict__ split_sums, int* ticket, WarpSums& sums) {
    const int thread = thread_of_block(), warp = thread / WARP, lane = thread % WARP;
    const Part of_groups = part_of((count + IMAGES_A_GROUP - 1) / IMAGES_A_GROUP, split, splits);
    const Part of_records = part_of(count, split, splits);
    Rows rows[2];
#pragma unroll
    for (int k = 0; k < 2; ++k) {
        const int quad = tile * TILE_QUADS + k * WARP + lane, bias = quad - GROUP_QUADS;
        const int field = bias < C5_QUADS ? RECORD_D_C5 + bias * 4
                          : bias < C5_QUADS + F6_QUADS ? RECORD_D_F6 + (bias - C5_QUADS) * 4
                                                       : RECORD_D_OUTPUT + (bias - C5_QUADS - F6_QUADS) * 4;
        const bool of_group = quad < GROUP_QUADS;
        const Part part = of_group ? of_groups : of_records;
        const int stride = of_group ? GROUP : RECORD;
        const float* first = (of_group ? groups + quad * 4 : records + field) + static_cast<size_t>(part.first) * stride;
        rows[k] = {first, stride, quad < VECTOR_QUADS ? part.end - part.first : 0};
    }
    float4 own[2] = {};
    sum_of_rows(rows, own);
#pragma unroll
    for (int k = 0; k < 2; ++k) sums.vector[warp][k * WARP + lane] = own[k];
    __syncthreads();
    const float* column = reinterpret_cast<const float*>(sums.vector[0]) + thread;
    float sum = column[0];
#pragma unroll
    for (int w = 1; w < UPDATE_WARPS; ++w) sum += column[w * VECTOR_SUMS];
    __syncthreads();
    if (splits > 1) {
        split_sums[split * VECTOR_SUMS + thread] = sum;
        if (!is_last(splits, ticket)) return;
        sum = sum_of_splits<VECTOR_SPLITS>(split_sums + thread, VECTOR_SUMS, splits);
    }
    const Rule rule = late.now();
    const int quad = tile * TILE_QUADS + thread / 4, parameter = parameter_of_quad(quad) + thread % 4;
    if (quad < VECTOR_QUADS && parameter < PARAMETERS)
        parameters[parameter] = moved(rule, parameter, parameters[parameter], sum);
}

// dE/dw = sum over the images of the batch; then the optimiser's rule
//
//   parameters      [PARAMETERS]    in and out
//   rule ... rates                  see rules.cuh
//   groups          [(batch + 1) / 2][GROUP], records [batch][RECORD]  of the images, see lenet5.cuh
//   learning_rates  [steps]         of the epoch
//   shares          [steps]         NESTEROV: the weights' share of their average, after each step of the epoch
//   counter         [4]             step of the epoch, see lenet5.cuh; this kernel ends the step
//   losses, correct [steps]         out: mean loss and number of right answers, before the update
//   split_sums      [SPLIT_SUMS]    for the sums of the splits
//   tickets         [TILES]         splits that have come to their end; 0 at first, and after every launch
//
// Launch with any number of blocks, best as many as there are jobs: a job is a tile and a split.
extern "C" __global__ void __launch_bounds__(UPDATE_THREADS, 2)
lenet5_update(float* __restrict__ parameters, int rule, float* __restrict__ velocity, float* __restrict__ average,
              float momentum, float weight_decay, const float* __restrict__ rates, const float* __restrict__ groups,
              const float* __restrict__ records, const float* __restrict__ learning_rates,
              const float* __restrict__ shares, int* counter, float* __restrict__ losses, int* __restrict__ correct,
              float* __restrict__ split_sums, int* tickets) {
    __shared__ Stage stage;
    __shared__ WarpSums sums;
    const int step = counter[UPDATE_STEP], count = images_of_step(counter, step);
    if (count == 0) return;
    const LateRule moving{rule, velocity, average, momentum, weight_decay, rates, learning_rates + step, shares + step};
    const int dense_splits = splits_of(counter[BATCH_SIZE], DENSE_SPLITS);
    const int vector_splits = splits_of(counter[BATCH_SIZE], VECTOR_SPLITS);
    const int dense_jobs = DENSE_TILES * dense_splits, jobs = dense_jobs + VECTOR_TILES * vector_splits;
#pragma unroll 1
    for (int job = blockIdx.x; job < jobs; job += gridDim.x) {
        if (job < dense_jobs) {
            const int tile = job / dense_splits;
            update_dense(tile, job % dense_splits, dense_splits, parameters, moving, records, count,
                         split_sums + tile * (DENSE_SPLITS * DENSE_SUMS), tickets + tile, stage, sums);
        } else {
            const int tile = (job - dense_jobs) / vector_splits;
            update_vectors(
                tile, (job - dense_jobs) % vector_splits, vector_splits, parameters, moving, groups, records, count,
                split_sums + DENSE_TILES * DENSE_SPLITS * DENSE_SUMS + tile * (VECTOR_SPLITS * VECTOR_SUMS),
                tickets + DENSE_TILES + tile, sums);
        }
    }
    if (blockIdx.x == gridDim.x - 1) {
        sum_losses(records, count, losses + step, correct + step, sums);
        if (threadIdx.x == 0) counter[IMAGES_STEP] = step + 1;
    }
}
