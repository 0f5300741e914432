// Runs clusters of thread blocks on the CPU: what cuda_on_cpu.h does for a block, for all blocks of a cluster at once, and
// stand-ins for kernels/cluster/primitives.cuh.
//
// The warps of all blocks run in an order drawn anew in every round. Named barriers, the cluster's barrier and mbarriers are
// kept as the PTX manual describes them. Asynchronous stores and copies arrive when they like: by the order's number at
// once, at any time and in any order, or not before nothing else can happen. Some blocks begin only when the others can't
// go on. A kernel whose waits are all in place can't tell the difference. Reported as errors: waits that nothing will end, barriers of no whole warps or of differing counts,
// more arrivals at an mbarrier than it was made for, accesses beyond the shared memory of another block, and messages that
// nobody has waited for when the cluster ends.
#pragma once
#include "cuda_on_cpu.h"
#define CUDA_ON_CPU
#define __cluster_dims__(...)
#define __forceinline__ inline

namespace cuda_on_cpu {

struct Barrier {
    int count = 0, arrived = 0;
    unsigned rounds = 0;
};

struct Mbarrier {  // eight bytes, as on the device
    int8_t arrivals, missing;
    uint16_t phase;
    int32_t bytes;  // due; below 0 where they came before they were expected
};
static_assert(sizeof(Mbarrier) == 8);

struct Message {
    char* to;
    const char* from;      // of a copy; a store's value otherwise
    float value[4];
    int bytes;
    Mbarrier* barrier;
};

struct Member {  // a block of a cluster
    Block block;
    Dim index;
    std::vector<float4> shared;
    std::map<int, Barrier> barriers;
    bool begun = false;
};

struct Cluster {
    std::vector<Member> members;
    std::vector<Message> messages;
    Barrier barrier;
    std::mt19937 random;
    int eagerness = 0;     // of messages: 0 at once, 1 at any time, 2 as late as possible
    size_t current = 0;
    char error[256] = "";
};
inline Cluster* cluster = nullptr;

inline Member& member() { return cluster->members[cluster->current]; }

inline void fail(int line, const char* what) {
    if (!cluster->error[0]) std::snprintf(cluster->error, sizeof cluster->error, "line %d: %s", line, what);
    wait_until([](const void*) { return false; }, nullptr, line);  // for ever
}

// Let others get ahead.
inline void pause(int line) {
    Thread& self = block->threads[block->current];
    self.ready = [](const void*) { return true; };
    wait(State::waits_until, 0, line);
}

// ---- Addresses: rank * 2^24 + offset

inline unsigned address(const void* shared) {
    return unsigned(cluster->current << 24) +
           unsigned(static_cast<const char*>(shared) - reinterpret_cast<const char*>(member().shared.data()));
}
inline char* at(unsigned address, int bytes, int line) {
    const size_t rank = address >> 24, offset = address & 0xffffff;
    if (rank >= cluster->members.size() || offset + bytes > cluster->members[rank].shared.size() * sizeof(float4))
        fail(line, "an access beyond the shared memory of a block");
    const Block& there = cluster->members[rank].block;
    if (std::all_of(there.threads.begin(), there.threads.end(), [](const Thread& t) { return t.state == State::left; }))
        fail(line, "an access to the shared memory of a block that has left");
    return reinterpret_cast<char*>(cluster->members[rank].shared.data()) + offset;
}

// ---- Barriers

inline void arrive(Barrier& barrier, int count, int line) {
    if (count % warpSize) fail(line, "a barrier of no whole warps");
    if (barrier.arrived && barrier.count != count) fail(line, "a barrier of differing counts");
    barrier.count = count;
    if (++barrier.arrived < count) return;
    barrier.arrived = 0;
    ++barrier.rounds;
}
struct Round {
    const Barrier* barrier;
    unsigned before;
};
inline void await(const Barrier& barrier, unsigned before, int line) {
    const Round round{&barrier, before};
    wait_until([](const void* r) {
        return static_cast<const Round*>(r)->barrier->rounds != static_cast<const Round*>(r)->before;
    }, &round, line);
}

inline Mbarrier* mbarrier(unsigned address, int line) { return reinterpret_cast<Mbarrier*>(at(address, 8, line)); }
inline void end_phase(Mbarrier* barrier) {
    if (barrier->missing || barrier->bytes) return;
    ++barrier->phase;
    barrier->missing = barrier->arrivals;
}
inline void arrive(Mbarrier* barrier, int bytes, int line) {
    if (barrier->missing <= 0) fail(line, "more arrivals than the mbarrier was made for");
    barrier->bytes += bytes;
    --barrier->missing;
    end_phase(barrier);
}

struct Phase {
    const Mbarrier* barrier;
    unsigned parity;
};
inline bool phase_ended(const void* phase) {
    return static_cast<const Phase*>(phase)->barrier->phase % 2u != static_cast<const Phase*>(phase)->parity;
}

inline void deliver(size_t which) {
    const Message message = cluster->messages[which];
    cluster->messages[which] = cluster->messages.back();
    cluster->messages.pop_back();
    std::memcpy(message.to, message.from ? message.from : reinterpret_cast<const char*>(message.value), message.bytes);
    message.barrier->bytes -= message.bytes;
    end_phase(message.barrier);
}
inline void send(const Message& message) {
    cluster->messages.push_back(message);
    if (cluster->eagerness == 0) deliver(cluster->messages.size() - 1);
}

// ---- Running

inline bool run_cluster() {
    std::vector<std::pair<size_t, size_t>> warps;  // (block, first thread)
    for (size_t b = 0; b < cluster->members.size(); ++b)
        for (size_t t = 0; t < cluster->members[b].block.threads.size(); t += warpSize) warps.push_back({b, t});
    auto& messages = cluster->messages;
    for (;;) {
        std::shuffle(warps.begin(), warps.end(), cluster->random);
        bool moved = false;
        size_t left = 0;
        for (const auto& [b, first] : warps) {
            if (!cluster->members[b].begun) continue;
            cluster->current = b;
            block = &member().block;
            blockIdx = member().index;
            const size_t end = std::min(first + warpSize, block->threads.size());
            bool runs = false;
            for (size_t t = first; t < end; ++t) {
                Thread& thread = block->threads[t];
                if (thread.state == State::waits_until && thread.ready(thread.what)) thread.state = State::runs;
                runs = runs || thread.state == State::runs;
                left += thread.state == State::left;
            }
            if (runs) run_warp(first);
            moved = moved || runs;
            if (cluster->error[0]) return false;
            if (cluster->eagerness == 1)
                while (!messages.empty() && cluster->random() % 4) {
                    deliver(cluster->random() % messages.size());
                    moved = true;
                }
        }
        if (moved) continue;
        const auto late = std::find_if(
            cluster->members.begin(), cluster->members.end(), [](const Member& one) { return !one.begun; });
        if (late != cluster->members.end()) {
            late->begun = true;
            continue;
        }
        if (left == cluster->members.size() * cluster->members[0].block.threads.size()) break;
        if (!messages.empty()) {  // all of one mbarrier
            const Mbarrier* barrier = messages[cluster->random() % messages.size()].barrier;
            for (size_t k = messages.size(); k-- > 0;)
                if (messages[k].barrier == barrier) deliver(k);
            continue;
        }
        for (const Member& one : cluster->members)
            for (size_t t = 0; t < one.block.threads.size(); ++t) {
                const Thread& thread = one.block.threads[t];
                if (thread.state == State::left) continue;
                int used = std::snprintf(cluster->error, sizeof cluster->error,
                                         "deadlock: block %u, thread %zu waits at line %d for ever", one.index.x, t,
                                         thread.line);
                if (thread.state != State::waits_until || thread.ready != phase_ended) return false;
                const Mbarrier* it = static_cast<const Phase*>(thread.what)->barrier;
                std::snprintf(cluster->error + used, sizeof cluster->error - used,
                              ", mbarrier at byte %zu, phase %d: %d arrivals and %d bytes are missing",
                              size_t(reinterpret_cast<const char*>(it) -
                                     reinterpret_cast<const char*>(one.shared.data())),
                              it->phase, it->missing, it->bytes);
                return false;
            }
    }
    if (!messages.empty()) std::snprintf(cluster->error, sizeof cluster->error, "messages that nobody waited for");
    return messages.empty();
}

// Run a whole grid, cluster by cluster; 0, or 1 with a message.
inline int run_clusters(unsigned size, unsigned grid, unsigned threads, size_t shared_bytes, int order,
                        void (*body)(void*), void* argument, char* message, size_t room) {
    static Cluster storage;
    cluster = &storage;
    gridDim = {grid, 1, 1};
    blockDim = {threads, 1, 1};
    storage.error[0] = 0;
    storage.random.seed(unsigned(order));
    storage.eagerness = order % 3;
    bool good = grid % size == 0 && shared_bytes <= SHARED_BYTES;
    if (!good) std::snprintf(storage.error, sizeof storage.error, "no whole clusters, or more shared memory than any GPU has");
    for (unsigned c = 0; c < grid / size && good; ++c) {
        const unsigned first = (order % 2 ? grid / size - 1 - c : c) * size;
        storage.messages.clear();
        storage.barrier = {};
        storage.members.resize(size);
        for (unsigned rank = 0; rank < size; ++rank) {
            Member& one = storage.members[rank];
            one.index = {first + rank, 0, 0};
            one.barriers.clear();
            one.begun = storage.random() % 2;
            one.shared.assign((shared_bytes + sizeof(float4) - 1) / sizeof(float4), {});
            std::memset(static_cast<void*>(one.shared.data()), 0xff, one.shared.size() * sizeof(float4));  // NaN
            Block& its = one.block;
            its.stacks.resize(threads * STACK_BYTES + 16);
            its.slots.assign(2 * threads, 0);
            its.body = body;
            its.argument = argument;
            its.backwards = order % 2 != 0;
            its.threads.assign(threads, {});
            char* stacks = its.stacks.data() + (16 - reinterpret_cast<uintptr_t>(its.stacks.data()) % 16) % 16;
            for (unsigned t = 0; t < threads; ++t) {
                its.threads[t].index = {t, 0, 0};
                prepare(its.threads[t].context, stacks + t * STACK_BYTES, fiber);
            }
        }
        good = run_cluster();
    }
    std::snprintf(message, room, "cluster: %s", storage.error);
    return good ? 0 : 1;
}

}  // namespace cuda_on_cpu

// ---- Stand-ins for primitives.cuh; each knows the line it is called from

#define HERE int line = __builtin_LINE()

inline void* shared_memory() { return cuda_on_cpu::member().shared.data(); }
inline int block_rank() { return int(cuda_on_cpu::cluster->current); }
inline unsigned address_of(const void* shared) { return cuda_on_cpu::address(shared); }
inline unsigned remote(unsigned address, int rank) { return (address & 0xffffff) | unsigned(rank) << 24; }

inline unsigned& cluster_rounds() {
    // A thread has one arrival under way at most: what it saw then is kept beside it.
    return cuda_on_cpu::block->threads[cuda_on_cpu::block->current].seen;
}
inline void cluster_arrive(HERE) {
    cuda_on_cpu::Cluster& c = *cuda_on_cpu::cluster;
    cluster_rounds() = c.barrier.rounds;
    cuda_on_cpu::arrive(c.barrier, int(c.members.size() * blockDim.x), line);
    cuda_on_cpu::pause(line);
}
inline void cluster_wait(HERE) { cuda_on_cpu::await(cuda_on_cpu::cluster->barrier, cluster_rounds(), line); }

template <int ID, int COUNT>
void barrier_wait(HERE) {
    cuda_on_cpu::Barrier& barrier = cuda_on_cpu::member().barriers[ID];
    const unsigned before = barrier.rounds;
    cuda_on_cpu::arrive(barrier, COUNT, line);
    cuda_on_cpu::await(barrier, before, line);
}
template <int ID, int COUNT>
void barrier_arrive(HERE) {
    cuda_on_cpu::arrive(cuda_on_cpu::member().barriers[ID], COUNT, line);
    cuda_on_cpu::pause(line);
}

inline void mbarrier_init(unsigned barrier, int arrivals, HERE) {
    *cuda_on_cpu::mbarrier(barrier, line) = {int8_t(arrivals), int8_t(arrivals), 0, 0};
}
inline void mbarriers_ready() {}
inline void mbarrier_expect(unsigned barrier, int bytes, HERE) {
    cuda_on_cpu::arrive(cuda_on_cpu::mbarrier(barrier, line), bytes, line);
}
inline void mbarrier_wait(unsigned barrier, unsigned parity, HERE) {
    const cuda_on_cpu::Phase phase{cuda_on_cpu::mbarrier(barrier, line), parity};
    cuda_on_cpu::wait_until(cuda_on_cpu::phase_ended, &phase, line);
}
inline void store_async(unsigned to, float value, unsigned barrier, HERE) {
    cuda_on_cpu::send({cuda_on_cpu::at(to, 4, line), nullptr, {value}, 4, cuda_on_cpu::mbarrier(barrier, line)});
}
inline void store_async(unsigned to, float4 v, unsigned barrier, HERE) {
    if (to % 16) cuda_on_cpu::fail(line, "four floats on no 16-byte boundary");
    cuda_on_cpu::send(
        {cuda_on_cpu::at(to, 16, line), nullptr, {v.x, v.y, v.z, v.w}, 16, cuda_on_cpu::mbarrier(barrier, line)});
}
inline void copy_async(unsigned to, const void* from, int bytes, unsigned barrier, HERE) {
    if (to % 16 || reinterpret_cast<uintptr_t>(from) % 16 || bytes % 16)
        cuda_on_cpu::fail(line, "a bulk copy on no 16-byte boundary");
    cuda_on_cpu::send({cuda_on_cpu::at(to, bytes, line), static_cast<const char*>(from), {}, bytes,
                       cuda_on_cpu::mbarrier(barrier, line)});
}
inline int anew(int number) { return number; }
#undef HERE

// Export a kernel of clusters of SIZE blocks, as CUDA_ON_CPU_EXPORT does; `backwards` is the number of an order.
#define CUDA_ON_CPU_EXPORT_CLUSTERS(NAME, SIZE)                                                                        \
    static cuda_on_cpu::Kernel NAME##_kernel{NAME};                                                                    \
    extern "C" const char* NAME##_parameters() { return NAME##_kernel.letters; }                                       \
    extern "C" int NAME##_launch(const unsigned* grid, const unsigned* threads, size_t shared_bytes, int order,        \
                                 void** values, char* message, size_t size) {                                          \
        NAME##_kernel.values = values;                                                                                 \
        return cuda_on_cpu::run_clusters(SIZE, grid[0], threads[0], shared_bytes, order, NAME##_kernel.body,           \
                                         &NAME##_kernel, message, size);                                               \
    }
