// First kernel of a training step: forward and backward, one cluster an image.
#include "cluster/backward.cuh"

// Writes down what an image contributes to the gradient (see lenet5.cuh).
struct Writing {
    float* group;
    float* record;

    __device__ void before_s2(const Turn& turn) const {
        if (turn.first) cluster_wait();  // for blocks that may not have begun yet
    }
    __device__ void need_dense(Memory& m, const Turn& turn) {
        if (turn.first) wait_for(m, MAIL_WEIGHTS, 0);
    }
    // Each block its own units of S4 and C5; what all have is shared out among them.
    __device__ void dense_done(Memory& m, const Turn& turn) {
        const int t = anew(threadIdx.x), rank = anew(turn.rank);
        if (t < OWN_S4) record[RECORD_S4 + OWN_MAP[rank][t / S4_AREA] * S4_AREA + t % S4_AREA] = m.s4[t];
        else if (t - OWN_S4 < OWN_C5) record[RECORD_C5 + OWN_C5 * rank + t - OWN_S4] = m.c5[t - OWN_S4];
        if (t < WARPS / 2 * WARP) return;
        const int k = t - WARPS / 2 * WARP;
        if (rank == 0 && k < CLASSES) record[RECORD_D_OUTPUT + k] = m.d_output[k];
        if (rank == 0 && k == CLASSES) record[RECORD_LOSS] = m.loss;
        if (rank == 0 && k == CLASSES + 1) record[RECORD_CORRECT] = m.correct;
        if (rank == 1 && k < F6_UNITS) record[RECORD_F6 + k] = m.f6[k];
        if (rank == 2 && k < F6_UNITS) record[RECORD_D_F6 + k] = m.d_f6[k];
        if (rank == 3 && k < C5_UNITS) record[RECORD_D_C5 + k] = m.d_c5[k];
    }
    __device__ void c3(Memory&, int rank, int place, float gradient) { group[flat_of_c3(rank, place)] = gradient; }
};
static_assert(C5_UNITS <= THREADS / 2 && CLASSES + 2 <= THREADS / 2 && OWN_S4 + OWN_C5 <= THREADS, "one turn");

// The images of a step: parameters as of the portable form's lenet5_train_images, and
//
//   packed          [4][DENSE]      a copy of C5, F6 and output for each block of a cluster, see form.cuh
//
// Launch with any number of clusters, best one for each image of a batch: CLUSTER blocks of THREADS threads each, and
// sizeof(Memory) bytes of shared memory.
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(THREADS, 2)
lenet5_train_images(const float* __restrict__ parameters, const float* __restrict__ packed,
                    const unsigned char* __restrict__ images, const unsigned char* __restrict__ labels,
                    const int* __restrict__ order, int loss, float background, float scale, int distorted,
                    const float* __restrict__ distortions, const float* __restrict__ fields, int* counter,
                    float* __restrict__ groups, float* __restrict__ records) {
    constexpr int OWN_C1 = C1_PACK / CLUSTER;  // sums that a block adds up
    Memory& m = *static_cast<Memory*>(shared_memory());
    const int t = threadIdx.x, rank = block_rank();
    const int cluster = blockIdx.x / CLUSTER, clusters = gridDim.x / CLUSTER;
    const int step = counter[IMAGES_STEP], batch = counter[BATCH_SIZE], count = images_of_step(counter, step);
    if (blockIdx.x == 0 && t == 0) counter[UPDATE_STEP] = step;
    if (cluster >= count) return;  // the whole cluster
    const Images source{images, labels, order, background, scale, distorted != 0, distortions, fields};
    if (t == 0) {
        prepare_mail(m);
        mbarrier_expect(mail_of(m, MAIL_WEIGHTS), sizeof(Dense));
        copy_async(address_of(&m.dense), packed + rank * DENSE, sizeof(Dense), mail_of(m, MAIL_WEIGHTS));
    }
    cluster_arrive();
    load_input<THREADS>(source, step * batch + cluster, rank, t, m.x[0], m.label);
    load_shared_weights(parameters, m, rank, t, THREADS);
    clear_margins(m, t, THREADS);
    workers_wait();
    unsigned turns = 0;
#pragma unroll 1
    for (int image = cluster; image < count; image += clusters, ++turns) {
        const Turn turn{rank, turns % 2, turns == 0};
        if (!turn.first) {
            load_input<THREADS>(source, step * batch + image, rank, anew(threadIdx.x), m.x[0], m.label);
            workers_wait();
        }
        MARK(0);
        float* group = groups + static_cast<size_t>(image) * GROUP;
        Writing writing{group, records + static_cast<size_t>(image) * RECORD};
        work_on_image(m, m.x[0], turn, loss, m.label[0], 1.0f / count, CLUSTER * OWN_C1 * sizeof(float), writing);
        // C1 and S2: every block gets a quarter of the sums, of all four.
        const int place = anew(threadIdx.x), owner = place / OWN_C1;
        if (place < C1_PACK)
            store_async(remote(address_of(m.c1_parts + rank * OWN_C1 + place % OWN_C1), owner), c1_sum(m, place),
                        remote(mail_of(m, MAIL_C1), owner));
        MARK(21);
        wait_for(m, MAIL_C1, turn.parity);
        MARK(22);
        if (place < OWN_C1) {
            const float* part = m.c1_parts + place;
            group[rank * OWN_C1 + place] = (part[0] + part[OWN_C1]) + (part[2 * OWN_C1] + part[3 * OWN_C1]);
        }
        // No barrier: the next image is written into x, which no thread has read since the last barrier.
    }
}

// The packed copy of the parameters, from scratch; by any number of blocks.
extern "C" __global__ void __launch_bounds__(THREADS)
lenet5_pack(const float* __restrict__ parameters, float* __restrict__ packed) {
    for (int k = blockIdx.x * THREADS + threadIdx.x; k < CLUSTER * DENSE; k += gridDim.x * THREADS) {
        const int flat = flat_of_dense(k / DENSE, k % DENSE);
        packed[k] = flat == NONE ? 0.0f : parameters[flat];
    }
}
