// Training one image at a time: a cluster that keeps the network in its shared memory takes many steps in one launch.
#include "cluster/backward.cuh"
#include "rules.cuh"

constexpr int HELPERS = 128;  // threads that prepare the next image and move C5, F6 and output
constexpr int ALONE_THREADS = THREADS + HELPERS;
constexpr int FREE_BARRIER = 2, STEP_BARRIER = 3;

// With the state of the update rule: of each parameter its rate (RATES) or its velocity (NESTEROV).
struct AloneMemory : Memory {
    Part state;
};

// Moves the parameters of C1 to S4 where they lie.
struct Moving {
    Rule rule;  // `average` is the flat buffer's; the other two arrays are state in shared memory

    // The new value of a parameter; `state` is its rate or velocity, `kept` whether this block keeps its average.
    __device__ float move(float* state, int flat, bool kept, float value, float gradient) const {
        Rule one = rule;
        one.velocity = state;
        one.rates = state;
        one.average = rule.average + flat;
        return moved(one, 0, value, gradient, kept);
    }
    __device__ void before_s2(const Turn&) const {}
    __device__ void need_dense(Memory&, const Turn&) {}
    __device__ void dense_done(Memory&, const Turn&) { barrier_arrive<FREE_BARRIER, ALONE_THREADS>(); }
    __device__ void c3(Memory& m, int rank, int place, float gradient) {
        float& parameter = c3_parameter(m.own, place);
        parameter = move(&c3_parameter(static_cast<AloneMemory&>(m).state, place), flat_of_c3(rank, place), true, parameter, gradient);
    }
};

// C5, F6 and output of one block, by the helpers: w[j, i] moves by d[j] * y[i], as `rule` has it.
//
// Biases of F6 and the whole output are in every block, and move in the same way in each; their averages are kept by the
// first one.
template <int RULE>
__device__ inline void move_dense(AloneMemory& m, const Moving& moving, int rank, int t) {
    constexpr int QUADS = C5_STRIDE / 4, C5_ROWS = HELPERS / QUADS, TWOS = F6_STRIDE / 2, F6_ROWS = HELPERS / TWOS;
    Moving by = moving;
    by.rule.number = RULE;
    if (t < C5_ROWS * QUADS) {
        const int quad = t % QUADS;
        const float4 y = *reinterpret_cast<const float4*>(m.s4 + 4 * quad);
        int flat[4] = {};
        if (RULE == NESTEROV)
#pragma unroll
            for (int k = 0; k < 4; ++k) flat[k] = flat_of(rank, PART_C5 + 4 * quad + k);
#pragma unroll 4
        for (int j = t / QUADS; j < C5_UNITS; j += C5_ROWS) {
            float4* weight = reinterpret_cast<float4*>(m.own.c5_weight) + j * QUADS + quad;
            float4* state = reinterpret_cast<float4*>(m.state.c5_weight) + j * QUADS + quad;
            const float d = m.d_c5[j];
            float4 w = *weight, s = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (RULE != 0) s = *state;
            w.x = by.move(&s.x, flat[0] + j * S4_UNITS, true, w.x, d * y.x);
            w.y = by.move(&s.y, flat[1] + j * S4_UNITS, true, w.y, d * y.y);
            w.z = by.move(&s.z, flat[2] + j * S4_UNITS, true, w.z, d * y.z);
            w.w = by.move(&s.w, flat[3] + j * S4_UNITS, true, w.w, d * y.w);
            *weight = w;
            if (RULE == NESTEROV) *state = s;
        }
    }
    if (t < F6_ROWS * TWOS) {
        const int two = t % TWOS, flat = F6_WEIGHT + OWN_C5 * rank + 2 * two;
        const float2 y = *reinterpret_cast<const float2*>(m.c5 + 2 * two);
#pragma unroll 4
        for (int j = t / TWOS; j < F6_UNITS; j += F6_ROWS) {
            float2* weight = reinterpret_cast<float2*>(m.own.f6_weight) + j * TWOS + two;
            float2* state = reinterpret_cast<float2*>(m.state.f6_weight) + j * TWOS + two;
            const float d = m.d_f6[j];
            float2 w = *weight, s = make_float2(0.0f, 0.0f);
            if (RULE != 0) s = *state;
            w.x = by.move(&s.x, flat + j * C5_UNITS, true, w.x, d * y.x);
            w.y = by.move(&s.y, flat + 1 + j * C5_UNITS, true, w.y, d * y.y);
            *weight = w;
            if (RULE == NESTEROV) *state = s;
        }
    }
    const bool kept = rank == 0;
    if (t < F6_UNITS) {
        const float y = m.f6[t];
        m.own.f6_bias[t] = by.move(m.state.f6_bias + t, F6_BIAS + t, kept, m.own.f6_bias[t], m.d_f6[t]);
        if (TRAINED_OUTPUT)
#pragma unroll 2
            for (int j = 0; j < CLASSES; ++j) {
                const int k = j * F6_UNITS + t;
                m.own.output_weight[k] = by.move(
                    m.state.output_weight + k, OUTPUT_WEIGHT + k, kept, m.own.output_weight[k], m.d_output[j] * y);
            }
    } else if (t - F6_UNITS < OWN_C5) {
        const int k = t - F6_UNITS;
        m.own.c5_bias[k] = by.move(m.state.c5_bias + k, C5_BIAS + OWN_C5 * rank + k, true, m.own.c5_bias[k],
                                     m.d_c5[OWN_C5 * rank + k]);
    }
    if (TRAINED_OUTPUT && t < CLASSES)
        m.own.output_bias[t] = by.move(
            m.state.output_bias + t, OUTPUT_BIAS + t, kept, m.own.output_bias[t], m.d_output[t]);
}
static_assert(F6_UNITS + OWN_C5 <= HELPERS && CLASSES <= HELPERS, "one turn of the helpers");
static_assert(C5_STRIDE == OWN_S4 && F6_STRIDE == OWN_C5, "no padding among the weights");

// A copy between the flat buffer and what a block has of it; and back, by one of the blocks that have it.
__device__ inline void load_part(const float* flat, Part& part, int rank, int t) {
    for (int k = t; k < PART; k += ALONE_THREADS) {
        const int place = flat_of(rank, k);
        reinterpret_cast<float*>(&part)[k] = place == NONE ? 0.0f : flat[place];
    }
}
__device__ inline void store_part(float* flat, const Part& part, int rank, int t) {
    for (int k = t; k < PART; k += ALONE_THREADS) {
        const int place = flat_of(rank, k);
        const bool everywhere = k < PART_C3 || k >= PART_BIAS6;
        if (place != NONE && (rank == 0 || !everywhere)) flat[place] = reinterpret_cast<const float*>(&part)[k];
    }
}

// `steps` steps of one image each, from the counter's step on; less at the end of the epoch.
//
//   parameters      [PARAMETERS]    in and out
//   images ... fields               as of lenet5_train_images
//   rule ... rates                  see rules.cuh
//   learning_rates ... correct      as of lenet5_update
//   counter         [4]             see lenet5.cuh; the batch size must be 1
//   steps                           most that this launch takes
//
// Launch with one cluster: CLUSTER blocks of ALONE_THREADS threads and sizeof(AloneMemory) bytes of shared memory.
//
// The workers take an image through the network. The helpers prepare the next image meanwhile; when C5, F6 and output
// have been read for the last time they move these layers' weights, and all meet at the step's end.
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(ALONE_THREADS, 1)
lenet5_train_alone(float* __restrict__ parameters, const unsigned char* __restrict__ images,
                   const unsigned char* __restrict__ labels, const int* __restrict__ order, int loss, float background,
                   float scale, int distorted, const float* __restrict__ distortions, const float* __restrict__ fields,
                   int rule, float* __restrict__ velocity, float* __restrict__ average, float momentum,
                   float weight_decay, const float* __restrict__ rates, const float* __restrict__ learning_rates,
                   const float* __restrict__ shares, int* counter, float* __restrict__ losses, int* __restrict__ correct,
                   int steps) {
    AloneMemory& m = *static_cast<AloneMemory*>(shared_memory());
    const int t = threadIdx.x, rank = block_rank();
    const int first_step = counter[IMAGES_STEP], left = counter[EPOCH_IMAGES] - first_step;
    const int count = left < steps ? left : steps;
    if (count <= 0) return;
    const Images source{images, labels, order, background, scale, distorted != 0, distortions, fields};
    if (t == 0) prepare_mail(m);
    clear_margins<ALONE_THREADS>(m, background, t);
    load_part(parameters, m.own, rank, t);
    if (rule != 0) load_part(rule == NESTEROV ? velocity : rates, m.state, rank, t);
    barrier_wait<STEP_BARRIER, ALONE_THREADS>();
    if (t >= THREADS) load_input<HELPERS>(source, first_step, rank, t - THREADS, m.x[0], m.label);
    cluster_arrive();
    cluster_wait();

    if (t >= THREADS) {
        for (int k = 0; k < count; ++k) {
            const int step = first_step + k, helper = anew(t) - THREADS, next = (k + 1) % 2;
            if (k + 1 < count) load_input<HELPERS>(source, step + 1, rank, helper, m.x[next], m.label + next);
            const Moving moving{{rule, nullptr, average, momentum, weight_decay, nullptr, learning_rates[step], shares[step]}};
            barrier_wait<FREE_BARRIER, ALONE_THREADS>();
            if (rule == 0) move_dense<0>(m, moving, rank, helper);
            else if (rule == NESTEROV) move_dense<NESTEROV>(m, moving, rank, helper);
            else move_dense<RATES>(m, moving, rank, helper);
            barrier_wait<STEP_BARRIER, ALONE_THREADS>();
        }
    } else {
#pragma unroll 1
        for (int k = 0; k < count; ++k) {
            MARK(0);  // start
            const int step = first_step + k;
            const Turn turn{rank, static_cast<unsigned>(k % 2), k == 0};
            Moving moving{{rule, nullptr, average, momentum, weight_decay, nullptr, learning_rates[step], shares[step]}};
            work_on_image(m, m.x[k % 2], turn, loss, m.label[k % 2], 1.0f, CLUSTER * C1_PACK * sizeof(float), moving);
            // C1 and S2: each block gets the sums of all four, and moves its own copy.
            const int place = anew(threadIdx.x);
            if (place < C1_PACK) {
                const float sum = c1_sum(m, rank, place);
                const unsigned at = address_of(m.c1_parts + rank * C1_PACK + place);
#pragma unroll
                for (int block = 0; block < CLUSTER; ++block)
                    store_async(remote(at, block), sum, remote(mail_of(m, MAIL_C1), block));
            }
            MARK(21);  // C1's sums sent
            wait_for(m, MAIL_C1, turn.parity);
            MARK(22);  // C1's sums there
            if (place < C1_PACK) {
                const float gradient = sum_of_blocks(m.c1_parts + place, C1_PACK);
                float& parameter = c1_parameter(m.own, place);
                parameter = moving.move(&c1_parameter(m.state, place), place, rank == 0, parameter, gradient);
            }
            if (rank == 0 && place == THREADS - 1) {
                losses[step] = m.loss;
                correct[step] = static_cast<int>(m.correct);
            }
            barrier_wait<STEP_BARRIER, ALONE_THREADS>();
            MARK(23);  // end of the step
        }
    }

    // Back to global memory.
    store_part(parameters, m.own, rank, t);
    if (rule == NESTEROV) store_part(velocity, m.state, rank, t);
    // All blocks have read the counter, and have sent all they had to send, for the mail of the last step has come.
    if (rank == 0 && t == 0) counter[IMAGES_STEP] = first_step + count;
}
