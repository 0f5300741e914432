// What a cluster of thread blocks is made of, in PTX; tests/cuda_on_cpu/clusters.h stands in for all of it on a CPU.
//
//   * The blocks of a cluster run at the same time, and each can write into the shared memory of the others.
//   * An asynchronous store or copy doesn't make its thread wait. It arrives some time later, and reports the number of
//     its bytes to an mbarrier, which lies in shared memory beside the destination. A phase of an mbarrier ends when the
//     arrivals and the bytes that are due have come; who waits for a phase sees the data. Phases alternate in parity.
//   * A named barrier is a __syncthreads() of some warps. Who arrives and doesn't wait says "I'm done with that".
//
// Shared memory of another block has addresses of its own, 32 bits wide: `remote`.
#pragma once
#ifndef CUDA_ON_CPU

// The wait for something that never comes, a defect, must not keep the device for ever: after so many tries, which are
// seconds, the kernel is ended with an error.
constexpr int TRIES = 1 << 20;

extern __shared__ float4 dynamic_shared[];
__device__ __forceinline__ void* shared_memory() { return dynamic_shared; }

__device__ __forceinline__ int block_rank() {
    int rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
__device__ __forceinline__ unsigned address_of(const void* shared) {
    return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}
// The same place in the shared memory of block `rank`.
__device__ __forceinline__ unsigned remote(unsigned address, int rank) {
    unsigned there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
    return there;
}

// All threads of all blocks of the cluster; the two halves may lie apart.
__device__ __forceinline__ void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
__device__ __forceinline__ void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

// A named barrier of so many threads, whole warps: ptxas takes other counts, the device doesn't.
template <int ID, int COUNT>
__device__ __forceinline__ void barrier_wait() {
    static_assert(COUNT % 32 == 0 && ID < 16, "whole warps");
    asm volatile("barrier.cta.sync.aligned %0, %1;" ::"n"(ID), "n"(COUNT) : "memory");
}
template <int ID, int COUNT>
__device__ __forceinline__ void barrier_arrive() {
    static_assert(COUNT % 32 == 0 && ID < 16, "whole warps");
    asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"n"(ID), "n"(COUNT) : "memory");
}

__device__ __forceinline__ void mbarrier_init(unsigned barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// After the last mbarrier_init, before the cluster's barrier.
__device__ __forceinline__ void mbarriers_ready() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
// An arrival, and so many bytes more that are due in this phase.
__device__ __forceinline__ void mbarrier_expect(unsigned barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
// Wait for the end of the phase of this parity. What comes is shared memory's: the block's own scope will do, and other scopes
// would empty the first-level cache.
__device__ __forceinline__ void mbarrier_wait(unsigned barrier, unsigned parity) {
#pragma unroll 1
    for (int tries = 0; tries < TRIES; ++tries) {
        unsigned ended;
        asm volatile(
            "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
            : "=r"(ended) : "r"(barrier), "r"(parity) : "memory");
        if (ended) return;
    }
    __trap();
}

__device__ __forceinline__ void store_async(unsigned to, float value, unsigned remote_barrier) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32 [%0], %1, [%2];"
                 ::"r"(to), "f"(value), "r"(remote_barrier) : "memory");
}
__device__ __forceinline__ void store_async(unsigned to, float4 value, unsigned remote_barrier) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1,%2,%3,%4}, [%5];"
                 ::"r"(to), "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(remote_barrier) : "memory");
}
// From global to this block's shared memory; both, and the number of bytes, are multiples of 16.
__device__ __forceinline__ void copy_async(unsigned to, const void* from, int bytes, unsigned barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
                 ::"r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}

// A number the compiler can't trace back. In a loop over images it would compute all phases' addresses once, before the
// loop, and keep them in registers that aren't there.
__device__ __forceinline__ int anew(int number) {
    asm volatile("" : "+r"(number));
    return number;
}
#endif
