// Second kernel of a training step: add up what the images contribute to the gradient, and move the parameters.
// IMAGES_A_GROUP, as the form of the first kernel has it.
#include "form.cuh"
// PARAMETERS: 60,850 (softmax, ten classes) or 60,000 (RBF), as the network has it.
#include "output.cuh"
#include "rules.cuh"

constexpr int UPDATE_THREADS = 256, SLICES = UPDATE_THREADS / WARP;
constexpr int QUADS = (PARAMETERS + 3) / 4;  // a thread takes four neighbouring parameters

// Four neighbouring parameters' gradients: the sum over some rows (of groups, or of records) of scale * vector.
struct Term {
    int vector;  // index in a row of the first of four floats
    int scale;   // index of the factor; NONE: it is 1
};

// C1 ... S4: the gradient itself, of a group. All others lie in a record: biases likewise; weight [j, i] of a dense
// layer is delta[j] * activation[i].
__device__ inline Term term_of(int parameter) {
    if (parameter < C5_WEIGHT) return {parameter, NONE};
    if (parameter < C5_BIAS) {
        const int k = parameter - C5_WEIGHT;
        return {RECORD_S4 + k % S4_UNITS, RECORD_D_C5 + k / S4_UNITS};
    }
    if (parameter < F6_WEIGHT) return {RECORD_D_C5 + parameter - C5_BIAS, NONE};
    if (parameter < F6_BIAS) {
        const int k = parameter - F6_WEIGHT;
        return {RECORD_C5 + k % C5_UNITS, RECORD_D_F6 + k / C5_UNITS};
    }
    if (parameter < OUTPUT_WEIGHT || PARAMETERS == OUTPUT_WEIGHT) return {RECORD_D_F6 + parameter - F6_BIAS, NONE};
    if (parameter < OUTPUT_BIAS) {
        const int k = parameter - OUTPUT_WEIGHT;
        return {RECORD_F6 + k % F6_UNITS, RECORD_D_OUTPUT + k / F6_UNITS};
    }
    return {RECORD_D_OUTPUT + parameter - OUTPUT_BIAS, NONE};
}
static_assert(C5_WEIGHT % 4 == 0 && C5_BIAS % 4 == 0 && F6_WEIGHT % 4 == 0 && F6_BIAS % 4 == 0 &&
              OUTPUT_WEIGHT % 4 == 0 && OUTPUT_BIAS % 4 == 0, "no four neighbours lie in two fields");

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
//
// A block takes 32 x 4 parameters. Its warp s adds up rows s, s + 8, s + 16, ...; then the eight sums are added in
// order. So a sum is always formed in the same way: the result doesn't depend on the number of blocks, and two runs
// are equal bit by bit. (Adding with atomics would be simpler, in an order that differs from run to run.)
extern "C" __global__ void __launch_bounds__(UPDATE_THREADS)
lenet5_update(float* __restrict__ parameters, int rule, float* __restrict__ velocity, float* __restrict__ average,
              float momentum, float weight_decay, const float* __restrict__ rates, const float* __restrict__ groups,
              const float* __restrict__ records, const float* __restrict__ learning_rates,
              const float* __restrict__ shares, int* counter, float* __restrict__ losses, int* __restrict__ correct) {
    __shared__ float4 slice_sums[SLICES][WARP];
    const int step = counter[UPDATE_STEP], count = images_of_step(counter, step);
    if (count == 0) return;
    const Rule moving{rule, velocity, average, momentum, weight_decay, rates, learning_rates[step], shares[step]};
    const int lane = threadIdx.x % WARP, slice = threadIdx.x / WARP;
    for (int first = blockIdx.x * WARP; first < QUADS; first += gridDim.x * WARP) {
        const int quad = first + lane;
        float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (quad < QUADS) {
            const Term term = term_of(quad * 4);
            const bool shared = quad * 4 < SHARED_WEIGHTS;
            const int rows = shared ? (count + IMAGES_A_GROUP - 1) / IMAGES_A_GROUP : count;
            const float* first_row = shared ? groups : records;
            const int stride = shared ? GROUP : RECORD;
#pragma unroll 4
            for (int k = slice; k < rows; k += SLICES) {
                const float* row = first_row + static_cast<size_t>(k) * stride;
                const float4 vector = *reinterpret_cast<const float4*>(row + term.vector);
                const float scale = term.scale == NONE ? 1.0f : row[term.scale];
                sum.x += scale * vector.x;
                sum.y += scale * vector.y;
                sum.z += scale * vector.z;
                sum.w += scale * vector.w;
            }
        }
        slice_sums[slice][lane] = sum;
        __syncthreads();
        // 128 parameters of the block: 128 threads finish one each.
        const int k = threadIdx.x, parameter = first * 4 + k;
        if (k < WARP * 4 && parameter < PARAMETERS) {
            const float* sums = reinterpret_cast<const float*>(slice_sums) + k;
            float gradient = sums[0];
#pragma unroll
            for (int s = 1; s < SLICES; ++s) gradient += sums[s * WARP * 4];
            parameters[parameter] = moved(moving, parameter, parameters[parameter], gradient);
        }
        __syncthreads();
    }
    if (blockIdx.x == gridDim.x - 1 && slice == 0) {
        sum_losses(records, count, losses + step, correct + step);
        if (lane == 0) counter[IMAGES_STEP] = step + 1;
    }
}
