// Second kernel of a training step: add up the partials of the images, and move the parameters.
// PARAMETERS: from head_softmax.cuh (60,850 for ten classes) or head_rbf.cuh (60,000), as the network has it.
#include "head.cuh"

constexpr int UPDATE_THREADS = 256, SLICES = UPDATE_THREADS / WARP;
constexpr int GROUPS = (PARAMETERS + 3) / 4;  // a thread takes four neighbouring parameters

// Four neighbouring parameters' gradients for one image: scale * vector, from its partials.
struct Term {
    int vector;  // index of the first of four floats
    int scale;   // index of the factor; NONE: it is 1
};

// C1 ... S4 and all biases: the gradient itself. Weight [j, i] of a dense layer: delta[j] * activation[i].
__device__ inline Term term_of(int parameter) {
    if (parameter < C5_WEIGHT) return {parameter, NONE};
    if (parameter < C5_BIAS) {
        const int k = parameter - C5_WEIGHT;
        return {PARTIALS_S4 + k % S4_UNITS, PARTIALS_D_C5 + k / S4_UNITS};
    }
    if (parameter < F6_WEIGHT) return {PARTIALS_D_C5 + parameter - C5_BIAS, NONE};
    if (parameter < F6_BIAS) {
        const int k = parameter - F6_WEIGHT;
        return {PARTIALS_C5 + k % C5_UNITS, PARTIALS_D_F6 + k / C5_UNITS};
    }
    if (parameter < OUTPUT_WEIGHT || PARAMETERS == OUTPUT_WEIGHT) return {PARTIALS_D_F6 + parameter - F6_BIAS, NONE};
    if (parameter < OUTPUT_BIAS) {
        const int k = parameter - OUTPUT_WEIGHT;
        return {PARTIALS_F6 + k % F6_UNITS, PARTIALS_D_OUTPUT + k / F6_UNITS};
    }
    return {PARTIALS_D_OUTPUT + parameter - OUTPUT_BIAS, NONE};
}
static_assert(C5_WEIGHT % 4 == 0 && C5_BIAS % 4 == 0 && F6_WEIGHT % 4 == 0 && F6_BIAS % 4 == 0 &&
              OUTPUT_WEIGHT % 4 == 0 && OUTPUT_BIAS % 4 == 0, "no group of four lies in two fields");

// Plain gradient descent, w <- w - r dE/dw, r the learning rate (equation 2). With a rate for each parameter on top,
// estimated from the curvature of the loss before every pass (lenet_gpu/nn/sdlm.py, equation 18): w <- w - r (rate dE/dw).
__device__ inline float descended(float parameter, float gradient, float learning_rate) {
    return parameter - learning_rate * gradient;
}

// The rules by number.
constexpr int NESTEROV = 1, RATES = 2;  // 0: plain gradient descent

// Nesterov's momentum, weight decay, and a running average of the weights (lenet_gpu/nn/optim.py):
//   v <- momentum v - r dE/dw
//   w <- (1 - r weight_decay) w + momentum v - r dE/dw
//   average <- average + share (w - average)      the optimiser's share of this step
__device__ inline void nesterov_step(float gradient, float learning_rate, float momentum, float weight_decay,
                                     float share, float& parameter, float& velocity, float& average) {
    const float step = -learning_rate * gradient, v = momentum * velocity + step;
    const float w = parameter - learning_rate * weight_decay * parameter + (step + momentum * v);
    velocity = v;
    parameter = w;
    average += share * (w - average);
}

// Mean loss and number of right answers of the step, by one warp: lane by lane, then across the lanes.
__device__ inline void sum_losses(const float* __restrict__ partials, int count, float* loss, int* correct) {
    float loss_sum = 0.0f, correct_sum = 0.0f;
    for (int image = threadIdx.x; image < count; image += WARP) {
        loss_sum += partials[static_cast<size_t>(image) * PARTIALS + PARTIALS_LOSS];
        correct_sum += partials[static_cast<size_t>(image) * PARTIALS + PARTIALS_CORRECT];
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
//   rule                            0: plain gradient descent, which reads none of the next five
//   velocity        [PARAMETERS]    NESTEROV: in and out
//   average         [PARAMETERS]    NESTEROV: in and out: the average of the weights
//   momentum, weight_decay          NESTEROV
//   rates           [PARAMETERS]    RATES: a factor of each parameter's learning rate
//   partials        [batch][PARTIALS]  of the images, see lenet5.cuh
//   learning_rates  [steps]         of the epoch
//   shares          [steps]         NESTEROV: the weights' share of their average, after each step of the epoch
//   counter         [4]             step of the epoch, see lenet5.cuh; this kernel ends the step
//   losses, correct [steps]         out: mean loss and number of right answers, before the update
//
// A block takes 32 x 4 parameters. Its warp s adds up images s, s + 8, s + 16, ...; then the eight sums are added in
// order. So a sum is always formed in the same way: the result doesn't depend on the number of blocks, and two runs
// are equal bit by bit. (Adding with atomics would be simpler, in an order that differs from run to run.)
extern "C" __global__ void __launch_bounds__(UPDATE_THREADS)
lenet5_update(float* __restrict__ parameters, int rule, float* __restrict__ velocity, float* __restrict__ average,
              float momentum, float weight_decay, const float* __restrict__ rates, const float* __restrict__ partials,
              const float* __restrict__ learning_rates, const float* __restrict__ shares, int* counter,
              float* __restrict__ losses, int* __restrict__ correct) {
    __shared__ float4 slice_sums[SLICES][WARP];
    const int step = counter[UPDATE_STEP], count = images_of_step(counter, step);
    if (count == 0) return;
    const float learning_rate = learning_rates[step], share = shares[step];
    const int lane = threadIdx.x % WARP, slice = threadIdx.x / WARP;
    for (int first = blockIdx.x * WARP; first < GROUPS; first += gridDim.x * WARP) {
        const int group = first + lane;
        float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (group < GROUPS) {
            const Term term = term_of(group * 4);
#pragma unroll 4
            for (int image = slice; image < count; image += SLICES) {
                const float* image_partials = partials + static_cast<size_t>(image) * PARTIALS;
                const float4 vector = *reinterpret_cast<const float4*>(image_partials + term.vector);
                const float scale = term.scale == NONE ? 1.0f : image_partials[term.scale];
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
            if (rule == NESTEROV)
                nesterov_step(gradient, learning_rate, momentum, weight_decay, share, parameters[parameter],
                              velocity[parameter], average[parameter]);
            else {
                if (rule == RATES) gradient *= rates[parameter];
                parameters[parameter] = descended(parameters[parameter], gradient, learning_rate);
            }
        }
        __syncthreads();
    }
    if (blockIdx.x == gridDim.x - 1 && slice == 0) {
        sum_losses(partials, count, losses + step, correct + step);
        if (lane == 0) counter[IMAGES_STEP] = step + 1;
    }
}
