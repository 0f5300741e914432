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
        constexpr int C5 = OWN_S4, D_C5 = C5 + OWN_C5, SHARED = D_C5 + OWN_C5;
        static_assert(SHARED + F6_UNITS <= THREADS && CLASSES + 2 <= F6_UNITS, "one turn");
        const int t = anew(threadIdx.x), rank = anew(turn.rank), k = t - SHARED;
        if (t < C5) {
            const int map = t / S4_AREA;
            if (map < PARTITION.maps[rank])
                record[RECORD_S4 + PARTITION.own[rank][map] * S4_AREA + t % S4_AREA] = m.s4[t];
        } else if (t < D_C5) record[RECORD_C5 + OWN_C5 * rank + t - C5] = m.c5[t - C5];
        else if (t < SHARED) record[RECORD_D_C5 + OWN_C5 * rank + t - D_C5] = m.d_c5[OWN_C5 * rank + t - D_C5];
        else if (rank == 0) {
            if (k < CLASSES) record[RECORD_D_OUTPUT + k] = m.d_output[k];
            if (k == CLASSES) record[RECORD_LOSS] = m.loss;
            if (k == CLASSES + 1) record[RECORD_CORRECT] = m.correct;
        } else if (k < F6_UNITS) {
            if (rank == 1) record[RECORD_F6 + k] = m.f6[k];
            if (rank == 2) record[RECORD_D_F6 + k] = m.d_f6[k];
        }
    }
    __device__ void c3(Memory&, int rank, int place, float gradient) { group[flat_of_c3(rank, place)] = gradient; }
};

// The images of a step: parameters as of the portable form's lenet5_train_images, and
//
//   packed          [CLUSTER][PART]      a copy of the parameters for each block of a cluster, see form.cuh
//
// Launch with any number of clusters, best one for each image of a batch: CLUSTER blocks of THREADS threads each, and
// sizeof(Memory) bytes of shared memory.
//
// This kernel may begin while the update of the step before is still at work. It then loads the image that it expects to be
// its own, which that kernel has no part in, and looks afterwards whether it is.
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
lenet5_train_images(const float* __restrict__ /* parameters: packed */, const float* __restrict__ packed,
                    const unsigned char* __restrict__ images, const unsigned char* __restrict__ labels,
                    const int* __restrict__ order, int loss, float background, float scale, int distorted,
                    const float* __restrict__ distortions, const float* __restrict__ fields, int* counter,
                    float* __restrict__ groups, float* __restrict__ records) {
    constexpr int OWN_C1 = C1_PACK / CLUSTER;  // sums that a block adds up
    Memory& m = *static_cast<Memory*>(shared_memory());
    const int t = threadIdx.x, rank = block_rank();
    const int cluster = blockIdx.x / CLUSTER, clusters = gridDim.x / CLUSTER;
    const Images source{images, labels, order, background, scale, distorted != 0, distortions, fields};
    MARK(24);  // begin
    let_next_kernel_begin();
    volatile int* now = counter;  // the update kernel may write it meanwhile
    const int expected = now[UPDATE_STEP] + 1;
    if (t == 0) {
        prepare_mail(m);
        mbarrier_expect(mail_of(m, MAIL_KERNELS), sizeof(Kernels));
        mbarrier_expect(mail_of(m, MAIL_WEIGHTS), sizeof(Part) - sizeof(Kernels));
    }
    cluster_arrive();
    clear_margins<THREADS>(m, background, t);
    workers_wait();
    MARK(25);  // margins
    if (t == THREADS - 1) {
        const float* part = packed + rank * PART;
        wait_for_kernel_before();
        copy_async(address_of(&m.own), part, sizeof(Kernels), mail_of(m, MAIL_KERNELS));
        copy_async(address_of(m.own.c5_weight), part + PART_C5, sizeof(Part) - sizeof(Kernels), mail_of(m, MAIL_WEIGHTS));
    }
    const int batch = counter[BATCH_SIZE];
    if (cluster < images_of_step(counter, expected))
        load_input<THREADS>(source, expected * batch + cluster, rank, t, m.x[0], m.label);
    MARK(26);  // image
    wait_for_kernel_before();
    const int step = now[IMAGES_STEP], count = images_of_step(counter, step);
    MARK(27);  // update over
    wait_for(m, MAIL_KERNELS, 0);
    MARK(28);  // kernels there
    workers_wait();
    if (cluster >= count) {  // the whole cluster
        wait_for(m, MAIL_WEIGHTS, 0);
        cluster_wait();
        if (blockIdx.x == 0 && t == 0) now[UPDATE_STEP] = step;
        return;
    }
    unsigned turns = 0;
    bool there = step == expected;
#pragma unroll 1
    for (int image = cluster; image < count; image += clusters, ++turns) {
        const Turn turn{rank, turns % 2, turns == 0};
        if (!there) {
            load_input<THREADS>(source, step * batch + image, rank, anew(threadIdx.x), m.x[0], m.label);
            workers_wait();
        }
        there = false;
        MARK(0);  // start
        float* group = groups + static_cast<size_t>(image) * GROUP;
        Writing writing{group, records + static_cast<size_t>(image) * RECORD};
        work_on_image(m, m.x[0], turn, loss, m.label[0], 1.0f / count, CLUSTER * OWN_C1 * sizeof(float), writing);
        // C1 and S2: every block gets its share of the sums, from all blocks.
        const int place = anew(threadIdx.x), owner = place / OWN_C1;
        if (place < C1_PACK)
            store_async(remote(address_of(m.c1_parts + rank * OWN_C1 + place % OWN_C1), owner), c1_sum(m, rank, place),
                        remote(mail_of(m, MAIL_C1), owner));
        MARK(21);  // C1's sums sent
        wait_for(m, MAIL_C1, turn.parity);
        MARK(22);  // C1's sums there
        if (place < OWN_C1) group[rank * OWN_C1 + place] = sum_of_blocks(m.c1_parts + place, OWN_C1);
        // No barrier: the next image is written into x, which no thread has read since the last barrier.
    }
    MARK(29);  // end
    // Last of all, so that clusters that begin late expect the right image; no kernel but the next one reads it.
    if (blockIdx.x == 0 && t == 0) now[UPDATE_STEP] = step;
}

// The packed copy of the parameters, from scratch; by any number of blocks.
extern "C" __global__ void __launch_bounds__(THREADS)
lenet5_pack(const float* __restrict__ parameters, float* __restrict__ packed) {
    for (int k = blockIdx.x * THREADS + threadIdx.x; k < CLUSTER * PART; k += gridDim.x * THREADS) {
        const int flat = flat_of(k / PART, k % PART);
        packed[k] = flat == NONE ? 0.0f : parameters[flat];
    }
}
