// Runs CUDA kernels on the CPU, for tests: the same kernel source, compiled by g++ or clang++ (C++20).
//
// The threads of a block are fibers on one operating-system thread. A fiber runs until it reaches a barrier or a warp
// exchange; then the next one runs: from the first thread to the last, or from the last to the first. A kernel whose
// barriers are all in place can't tell the difference; one that misses a barrier sees data that are not there yet.
// Reported as errors: threads of a block that wait at different barriers, or that left while others wait (divergence);
// a warp exchange that not all of its lanes reach (deadlock). Shared memory starts as NaN in every block. With
// -fsanitize=address every access beyond an array is found, shared memory beyond the launch's size included.
#pragma once
#include "standard.h"
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

#define __global__
#define __device__
#define __constant__
#define __shared__ thread_local  // one copy for all fibers; valid for both `extern` and local arrays
#define __launch_bounds__(...)

struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

// The GPU's approximate functions. WORST_CASE adds the largest errors that CUDA's documents allow, now up, now down.
#ifndef WORST_CASE
#define WORST_CASE 0.0f
#endif
inline float __expf(float x) {
    static int sign = 1;
    sign = -sign;
    return expf(x) * (1.0f + sign * WORST_CASE * 1.2e-7f * (2.0f + floorf(fabsf(1.173f * x))));
}
inline float __fdividef(float x, float y) {
    static int count = 0;
    return x / y * (1.0f + (++count % 3 - 1) * WORST_CASE * 1.2e-7f * 2.0f);
}

struct Dim { unsigned x = 1, y = 1, z = 1; };
static Dim threadIdx, blockIdx, blockDim, gridDim;
static constexpr int warpSize = 32;

static constexpr size_t SHARED_BYTES = 232448;  // the most that any architecture gives a block
thread_local float4 dynamic_shared[SHARED_BYTES / sizeof(float4)];

namespace cuda_on_cpu {

// ---- Fibers: each has its own stack; a switch saves the registers that a function call must preserve.

constexpr size_t STACK_BYTES = 64 * 1024 + 320;  // no power of two: else all stacks would share a few cache lines

#if defined(__x86_64__)
using Context = void*;  // the stack pointer; everything else lies on the stack
extern "C" void cuda_on_cpu_switch(Context* from, Context to);
asm(R"(
.text
.local cuda_on_cpu_switch
cuda_on_cpu_switch:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
)");
inline void switch_to(Context& from, Context& to) { cuda_on_cpu_switch(&from, to); }
inline void prepare(Context& context, char* stack, void (*entry)()) {
    void** top = reinterpret_cast<void**>(stack + STACK_BYTES) - 2;  // 16-byte aligned, as before a call
    *--top = nullptr;                                                // return address of `entry`: it never returns
    *--top = reinterpret_cast<void*>(entry);
    context = top - 6;
}
#else
using Context = ucontext_t;
inline void switch_to(Context& from, Context& to) { swapcontext(&from, &to); }
inline void prepare(Context& context, char* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack = {stack, 0, STACK_BYTES};
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
}
#endif

// ---- The threads of a block

enum class State { runs, waits_for_block, waits_for_warp, waits_until, left };  // the fourth: clusters.h

struct Thread {
    Context context{};
    Dim index;
    State state = State::runs;
    int line = 0;          // where it waits
    unsigned mask = 0;     // lanes it waits for
    unsigned round = 0;    // exchanges so far
    bool (*ready)(const void*) = nullptr;  // what it waits for, asked with `what`
    const void* what = nullptr;
    unsigned seen = 0;     // clusters.h: rounds of the cluster's barrier when it arrived there
};

struct Block {
    std::vector<Thread> threads;
    std::vector<char> stacks;
    std::vector<uint64_t> slots;  // values offered in an exchange: [2 rounds][thread]
    Context scheduler{};
    size_t current = 0;
    void (*body)(void*) = nullptr;
    void* argument = nullptr;
    bool backwards = false;
    char error[256] = "";
};
inline Block* block = nullptr;

inline void fiber() {
    block->body(block->argument);
    Thread& self = block->threads[block->current];
    self.state = State::left;
    switch_to(self.context, block->scheduler);
}

inline void wait(State state, unsigned mask, int line) {
    Thread& self = block->threads[block->current];
    self.state = state;
    self.mask = mask;
    self.line = line;
    switch_to(self.context, block->scheduler);
}

// Wait until ready(what).
inline void wait_until(bool (*ready)(const void*), const void* what, int line) {
    if (ready(what)) return;
    Thread& self = block->threads[block->current];
    self.ready = ready;
    self.what = what;
    wait(State::waits_until, 0, line);
}

// Let the lanes of a warp go on whose exchange is complete.
inline bool release_warp(size_t first) {
    auto& threads = block->threads;
    for (size_t t = first; t < first + warpSize && t < threads.size(); ++t) {
        const Thread& one = threads[t];
        if (one.state != State::waits_for_warp) continue;
        bool complete = true;
        for (size_t lane = 0; lane < warpSize && complete; ++lane) {
            if ((one.mask >> lane & 1) == 0) continue;
            complete = first + lane < threads.size();
            if (!complete) break;
            const Thread& other = threads[first + lane];
            complete = other.state == State::waits_for_warp && other.line == one.line && other.mask == one.mask &&
                       other.round == one.round;
        }
        if (!complete) continue;
        const unsigned mask = one.mask;
        for (size_t lane = 0; lane < warpSize; ++lane)
            if (mask >> lane & 1) threads[first + lane].state = State::runs;
        return true;
    }
    return false;
}

// Run the lanes of a warp until each of them waits for other warps or has left: a warp gets as far ahead of the others
// as the kernel's barriers allow.
inline void run_warp(size_t first) {
    do {
        for (size_t lane = 0; lane < warpSize; ++lane) {
            const size_t t = first + (block->backwards ? warpSize - 1 - lane : lane);
            if (t >= block->threads.size() || block->threads[t].state != State::runs) continue;
            block->current = t;
            threadIdx = block->threads[t].index;
            switch_to(block->scheduler, block->threads[t].context);
        }
    } while (release_warp(first));
}

// Run a block to its end; false: an error.
inline bool run_block() {
    auto& threads = block->threads;
    const size_t count = threads.size(), warps = (count + warpSize - 1) / warpSize;
    for (;;) {
        for (size_t warp = 0; warp < warps; ++warp) run_warp((block->backwards ? warps - 1 - warp : warp) * warpSize);
        size_t left = 0, at_barrier = 0, elsewhere = 0, stuck = count;
        for (size_t t = 0; t < count; ++t) {
            left += threads[t].state == State::left;
            if (threads[t].state == State::left) continue;
            if (stuck == count) stuck = t;
            at_barrier += threads[t].state == State::waits_for_block;
            elsewhere += threads[t].line != threads[stuck].line;
        }
        if (left == count) return true;
        if (at_barrier < count || elsewhere) {
            std::snprintf(block->error, sizeof block->error,
                "%s: thread %zu waits at line %d for ever; of %zu threads %zu have left, %zu wait at a barrier, and %zu "
                "wait elsewhere", at_barrier + left == count ? "barrier divergence" : "deadlock in a warp exchange",
                stuck, threads[stuck].line, count, left, at_barrier, elsewhere);
            return false;
        }
        for (Thread& thread : threads) thread.state = State::runs;
    }
}

// Offer a value to the lanes of `mask` and take the one of lane `source`.
template <class T>
T exchange(unsigned mask, T value, unsigned source, int line) {
    static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
    const size_t t = block->current, warp = t / warpSize * warpSize;
    const size_t row = block->threads[t].round++ % 2 * block->threads.size();
    std::memcpy(&block->slots[row + t], &value, sizeof value);
    wait(State::waits_for_warp, mask, line);
    if (source < warpSize && warp + source < block->threads.size())
        std::memcpy(&value, &block->slots[row + warp + source], sizeof value);
    return value;
}

// Run a whole grid; 0, or 1 with a message.
inline int run_grid(Dim grid, Dim threads, size_t shared_bytes, bool backwards, void (*body)(void*), void* argument,
                    char* message, size_t size) {
    static Block storage;
    block = &storage;
    gridDim = grid;
    blockDim = threads;
    const size_t count = size_t{threads.x} * threads.y * threads.z;
    storage.stacks.resize(count * STACK_BYTES + 16);
    storage.slots.assign(2 * count, 0);
    storage.body = body;
    storage.argument = argument;
    storage.backwards = backwards;
    char* stacks = storage.stacks.data() + (16 - reinterpret_cast<uintptr_t>(storage.stacks.data()) % 16) % 16;
    const size_t blocks = size_t{grid.x} * grid.y * grid.z;
    bool good = shared_bytes <= SHARED_BYTES;
    std::snprintf(storage.error, sizeof storage.error, "%s", good ? "" : "more shared memory than any GPU has");
    ASAN_UNPOISON_MEMORY_REGION(dynamic_shared, SHARED_BYTES);
    if (good)
        ASAN_POISON_MEMORY_REGION(reinterpret_cast<char*>(dynamic_shared) + shared_bytes, SHARED_BYTES - shared_bytes);
    for (size_t k = 0; k < blocks && good; ++k) {
        const size_t b = backwards ? blocks - 1 - k : k;
        blockIdx = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / grid.x / grid.y)};
        std::memset(dynamic_shared, 0xff, shared_bytes);  // NaN
        storage.threads.assign(count, {});
        for (size_t t = 0; t < count; ++t) {
            Thread& thread = storage.threads[t];
            thread.index = {unsigned(t % threads.x), unsigned(t / threads.x % threads.y),
                            unsigned(t / threads.x / threads.y)};
            prepare(thread.context, stacks + t * STACK_BYTES, fiber);
        }
        good = run_block();
    }
    std::snprintf(message, size, "block (%u, %u, %u): %s", blockIdx.x, blockIdx.y, blockIdx.z, storage.error);
    return good ? 0 : 1;
}

// One letter for each parameter: P a pointer, i a 32-bit integer, f a float, ? anything else.
template <class T>
constexpr char letter() {
    if constexpr (std::is_pointer_v<T>) return 'P';
    else if constexpr (std::is_same_v<T, int>) return 'i';
    else if constexpr (std::is_same_v<T, float>) return 'f';
    else return '?';
}

template <class... A>
struct Kernel {
    void (*function)(A...);
    char letters[sizeof...(A) + 1] = {letter<A>()..., 0};
    void** values = nullptr;  // as cuLaunchKernel takes them: one pointer to each argument
    static void body(void* self) { static_cast<Kernel*>(self)->call(std::index_sequence_for<A...>{}); }
    template <size_t... K>
    void call(std::index_sequence<K...>) { function(*static_cast<A*>(values[K])...); }
};
template <class... A>
Kernel(void (*)(A...)) -> Kernel<A...>;

}  // namespace cuda_on_cpu

#define __syncthreads() cuda_on_cpu::wait(cuda_on_cpu::State::waits_for_block, 0, __LINE__)
#define __syncwarp(...) ((void)cuda_on_cpu::exchange(0xffffffffu, 0, 0, __LINE__))
#define __shfl_sync(mask, value, source) cuda_on_cpu::exchange(mask, value, source, __LINE__)
#define __shfl_xor_sync(mask, value, bits) \
    cuda_on_cpu::exchange(mask, value, (threadIdx.x % warpSize) ^ (bits), __LINE__)
#define __shfl_down_sync(mask, value, by) cuda_on_cpu::exchange(mask, value, threadIdx.x % warpSize + (by), __LINE__)

// Global memory: every access is seen at once, and no other thread of the grid runs in between.
inline void __threadfence() {}
template <class T>
T __ldcg(const T* address) { return *address; }
template <class T>
T atomicAdd(T* address, T value) {
    const T before = *address;
    *address += value;
    return before;
}

// Export a kernel: NAME_parameters tells the types, NAME_launch runs a grid.
#define CUDA_ON_CPU_EXPORT(NAME)                                                                                       \
    static cuda_on_cpu::Kernel NAME##_kernel{NAME};                                                                    \
    extern "C" const char* NAME##_parameters() { return NAME##_kernel.letters; }                                       \
    extern "C" int NAME##_launch(const unsigned* grid, const unsigned* threads, size_t shared_bytes, int backwards,    \
                                 void** values, char* message, size_t size) {                                          \
        NAME##_kernel.values = values;                                                                                 \
        return cuda_on_cpu::run_grid({grid[0], grid[1], grid[2]}, {threads[0], threads[1], threads[2]}, shared_bytes,  \
                                     backwards, NAME##_kernel.body, &NAME##_kernel, message, size);                    \
    }
