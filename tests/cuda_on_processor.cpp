// SPDX-License-Identifier: BSD-3-Clause
// Runs the threads of cuda_on_processor.h. Compiled on its own and WITHOUT sanitizers: what it does between threads must
// stay invisible to ThreadSanitizer, which takes each CUDA thread for a thread of its own and so finds races.
#include <algorithm> // all of these before the macros of the header
#include <array>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>
#include "cuda_on_processor.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

#define CUDA_ON_PROCESSOR_WEAK __attribute__((weak))
extern "C" {
CUDA_ON_PROCESSOR_WEAK void __sanitizer_start_switch_fiber(void**, const void*, std::size_t);
CUDA_ON_PROCESSOR_WEAK void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*);
CUDA_ON_PROCESSOR_WEAK void* __tsan_get_current_fiber();
CUDA_ON_PROCESSOR_WEAK void* __tsan_create_fiber(unsigned);
CUDA_ON_PROCESSOR_WEAK void __tsan_destroy_fiber(void*);
CUDA_ON_PROCESSOR_WEAK void __tsan_switch_to_fiber(void*, unsigned);
CUDA_ON_PROCESSOR_WEAK void __tsan_acquire(void*);
CUDA_ON_PROCESSOR_WEAK void __tsan_release(void*);
CUDA_ON_PROCESSOR_WEAK void __tsan_java_init(unsigned long, unsigned long);
CUDA_ON_PROCESSOR_WEAK void __tsan_java_alloc(unsigned long, unsigned long);
extern CUDA_ON_PROCESSOR_WEAK __attribute__((visibility("hidden"))) unsigned char __start_cuda_shared[], __stop_cuda_shared[];
}

namespace cuda_on_processor {
namespace {

constexpr std::size_t STACK = 256 * 1024, PAGE = 4096;

struct Fiber {
    ucontext_t context;
    char* stack;
    void *fake_stack = nullptr, *tsan = nullptr;
    int thread = -1; // -1: has none
    int line = 0;    // where its thread waits
    void* group = nullptr;
    unsigned char given[16], received[16];
    int source;
    unsigned votes;
};

struct Barrier {
    std::vector<Fiber*> waiting;
    int line = 0, count = 0, result = 0;
};

struct Meeting { // of the lanes of one warp
    unsigned mask = 0, arrived = 0;
    int line = 0;
    Fiber* lanes[32] = {};
};

struct State {
    ucontext_t home;
    void *home_fake = nullptr, *home_tsan = nullptr;
    const void* home_bottom = nullptr;
    std::size_t home_size = 0;
    std::vector<std::unique_ptr<Fiber>> all;
    std::vector<Fiber*> idle, ready;
    std::vector<std::array<Meeting, 8>> meetings; // of each warp
    Barrier barrier;
    Fiber* current = nullptr;
    std::vector<int> threads; // in the order in which they start
    std::size_t next = 0;
    int waiting = 0;
    OneThread call;
    void *kernel, **arguments;
    std::vector<unsigned char> shared;
    Order order = Order::forward;
    std::mt19937 random;
    std::string error;
    bool failed = false;
    char finished; // an address for ThreadSanitizer: all threads of a launch release it, its end acquires it
};
State s;

void set_thread(int t) {
    threadIdx = {unsigned(t) % blockDim.x, unsigned(t) / blockDim.x % blockDim.y, unsigned(t) / (blockDim.x * blockDim.y)};
}

void suspend() {
    Fiber& f = *s.current;
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&f.fake_stack, s.home_bottom, s.home_size);
    if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(s.home_tsan, 1);
    swapcontext(&f.context, &s.home);
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(f.fake_stack, &s.home_bottom, &s.home_size);
}

void resume(Fiber& f) {
    s.current = &f;
    set_thread(f.thread);
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&s.home_fake, f.stack + PAGE, STACK);
    if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(f.tsan, 1);
    swapcontext(&s.home, &f.context);
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(s.home_fake, nullptr, nullptr);
}

void fiber_main() {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, &s.home_bottom, &s.home_size);
    for (;;) {
        Fiber& f = *s.current;
        s.call(s.kernel, s.arguments);
        if (__tsan_release) {
            __tsan_release(&s.finished);
        } else if (!s.failed && s.next < s.threads.size() && s.ready.empty()) { // straight on with the next one
            f.thread = s.threads[s.next++];
            set_thread(f.thread);
            continue;
        }
        f.thread = -1;
        suspend();
    }
}

Fiber& fresh_fiber() {
    Fiber* found;
    if (s.idle.empty()) {
        found = s.all.emplace_back(new Fiber).get();
    } else {
        found = s.idle.back();
        s.idle.pop_back();
        if (!__tsan_create_fiber) return *found;
        munmap(found->stack, STACK + PAGE); // or ThreadSanitizer sees two threads write to one stack
    }
    Fiber& f = *found;
    f.stack = static_cast<char*>(mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(f.stack, PAGE, PROT_NONE);
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack + PAGE;
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = nullptr;
    makecontext(&f.context, fiber_main, 0);
    return f;
}

[[noreturn]] void fail(const std::string& message) { // in a fiber, which never goes on
    if (s.error.empty()) s.error = message;
    s.failed = true;
    for (;;) suspend();
}

void wake(Fiber* f) {
    s.ready.push_back(f);
    --s.waiting;
}

void wait_in(void* group, int line) {
    Fiber& f = *s.current;
    f.line = line;
    if (__tsan_acquire) __tsan_release(group);
    suspend();
    if (__tsan_acquire) __tsan_acquire(group);
}

void forget_fibers() { // after a failure their stacks hold half-run threads
    for (auto& f : s.all) munmap(f->stack, STACK + PAGE);
    s.all.clear(), s.idle.clear(), s.ready.clear();
}

// By hand, for sanitizers intercept memset and memcpy.
void fill(unsigned char* from, unsigned char* to) {
    for (volatile unsigned char* p = from; p < to; ++p) *p = 0xff;
}
void copy(void* to, const void* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
        static_cast<volatile unsigned char*>(to)[i] = static_cast<const unsigned char*>(from)[i];
}

std::string describe_stuck() {
    std::string text = "threads wait for others that will not come:";
    int shown = 0;
    for (auto& f : s.all)
        if (f->thread >= 0 && shown++ < 4) text += " thread " + std::to_string(f->thread) + " at line " + std::to_string(f->line) + ";";
    return text + " " + std::to_string(s.waiting) + " of " + std::to_string(s.threads.size()) + " wait, the others have returned";
}

} // namespace

void* dynamic_shared() { return s.shared.data(); }

int block_barrier(int line, int predicate) {
    Barrier& b = s.barrier;
    if (!b.waiting.empty() && b.line != line)
        fail("threads of one block wait at different __syncthreads(), lines " + std::to_string(b.line) + " and " + std::to_string(line));
    b.line = line;
    b.count += predicate;
    b.waiting.push_back(s.current);
    ++s.waiting;
    if (b.waiting.size() == s.threads.size()) {
        for (Fiber* f : b.waiting) wake(f);
        b.waiting.clear();
        b.result = b.count;
        b.count = 0;
    }
    wait_in(&b, line);
    return b.result;
}

unsigned warp_exchange(int line, unsigned mask, int source, const void* given, void* received, std::size_t bytes) {
    Fiber& me = *s.current;
    const int lane = me.thread % 32;
    if (!(mask >> lane & 1)) fail("lane " + std::to_string(lane) + " is not in its own mask, line " + std::to_string(line));
    auto& open = s.meetings[me.thread / 32];
    Meeting* m = nullptr;
    for (auto& candidate : open)
        if (candidate.arrived && candidate.mask == mask) m = &candidate;
    for (auto& candidate : open)
        if (!m && !candidate.arrived) m = &candidate;
    if (!m) fail("a warp meets with more than 8 masks at once, line " + std::to_string(line));
    if (m->arrived && m->line != line)
        fail("lanes of one warp meet at different lines, " + std::to_string(m->line) + " and " + std::to_string(line));
    m->mask = mask, m->line = line, m->arrived |= 1u << lane, m->lanes[lane] = &me;
    me.source = source;
    copy(me.given, given, bytes);
    ++s.waiting;
    if (m->arrived == mask) {
        unsigned votes = 0;
        for (int i = 0; i < 32; ++i) votes |= (mask >> i & 1 && m->lanes[i]->source == -1 ? 1u : 0u) << i;
        for (int i = 0; i < 32; ++i) {
            if (!(mask >> i & 1)) continue;
            Fiber& f = *m->lanes[i];
            f.votes = votes;
            if (f.source >= 0 && f.source < 32 && mask >> f.source & 1) copy(f.received, m->lanes[f.source]->given, 16);
            else fill(f.received, f.received + 16); // a lane that takes no part: rubbish on a GPU, too
            wake(&f);
        }
        m->arrived = 0;
    }
    wait_in(m, line);
    copy(received, me.received, bytes);
    return me.votes;
}

const char* run(dim3 grid, dim3 block, std::size_t shared, OneThread call, void* kernel, void** arguments) {
    const std::size_t threads = std::size_t(block.x) * block.y * block.z, blocks = std::size_t(grid.x) * grid.y * grid.z;
    s.error.clear();
    s.failed = false;
    if (threads < 1 || threads > 1024 || block.z > 64) return "a block has 1 to 1024 threads, at most 64 of them along z";
    if (blocks < 1 || grid.y > 65535 || grid.z > 65535 || grid.x > 2147483647u) return "the grid is empty or too large";
    const std::size_t fixed = __start_cuda_shared ? __stop_cuda_shared - __start_cuda_shared : 0;
    if (shared + fixed > 227 * 1024) return "too much shared memory";
    blockDim = block, gridDim = grid;
    s.call = call, s.kernel = kernel, s.arguments = arguments;
    s.meetings.assign((threads + 31) / 32, {});
    s.barrier = Barrier();
    s.barrier.waiting.reserve(threads); // nothing is allocated in a fiber
    s.ready.clear();
    s.ready.reserve(3 * threads);
    if (__tsan_get_current_fiber) s.home_tsan = __tsan_get_current_fiber();
    if (__tsan_java_init && fixed) { // ThreadSanitizer allows it once in a process
        const unsigned long from = (unsigned long)__start_cuda_shared & ~7ul;
        static const bool once = (__tsan_java_init(from, ((unsigned long)__stop_cuda_shared - from + 7) & ~7ul), true);
        (void)once;
    }
    s.threads.resize(threads);
    std::iota(s.threads.begin(), s.threads.end(), 0);
    if (s.order == Order::backward) std::reverse(s.threads.begin(), s.threads.end());
    std::vector<std::size_t> sequence(blocks);
    std::iota(sequence.begin(), sequence.end(), 0);
    if (s.order == Order::backward) std::reverse(sequence.begin(), sequence.end());
    if (s.order == Order::random) std::shuffle(sequence.begin(), sequence.end(), s.random);
    for (std::size_t which : sequence) {
        blockIdx = {unsigned(which % grid.x), unsigned(which / grid.x % grid.y), unsigned(which / grid.x / grid.y)};
        s.shared = std::vector<unsigned char>(shared, 0xff);
        if (fixed) {
            fill(__start_cuda_shared, __stop_cuda_shared);
            const unsigned long from = (unsigned long)__start_cuda_shared & ~7ul;
            if (__tsan_java_alloc) __tsan_java_alloc(from, ((unsigned long)__stop_cuda_shared - from + 7) & ~7ul); // as new
        }
        if (s.order == Order::random) std::shuffle(s.threads.begin(), s.threads.end(), s.random);
        s.next = 0, s.waiting = 0;
        for (std::size_t taken = 0;;) {
            const bool fresh = s.next < threads, woken = taken < s.ready.size();
            Fiber* f;
            if (woken && (!fresh || (s.order == Order::random && s.random() & 1))) {
                const std::size_t left = s.ready.size() - taken;
                if (s.order == Order::random) std::swap(s.ready[taken], s.ready[taken + s.random() % left]);
                f = s.ready[taken++];
                if (taken == s.ready.size() || taken > threads) s.ready.erase(s.ready.begin(), s.ready.begin() + taken), taken = 0;
            } else if (fresh) {
                f = &fresh_fiber();
                f->thread = s.threads[s.next++];
                if (__tsan_create_fiber) f->tsan = __tsan_create_fiber(0);
            } else
                break;
            resume(*f);
            if (s.failed) break;
            if (f->thread < 0) {
                s.idle.push_back(f);
                if (__tsan_destroy_fiber) __tsan_destroy_fiber(f->tsan);
            }
        }
        if (!s.failed && s.waiting) s.error = describe_stuck(), s.failed = true;
        if (s.failed) {
            char where[80];
            std::snprintf(where, sizeof where, "block (%u, %u, %u): ", blockIdx.x, blockIdx.y, blockIdx.z);
            s.error = where + s.error;
            forget_fibers();
            return s.error.c_str();
        }
    }
    if (__tsan_acquire) __tsan_acquire(&s.finished);
    return nullptr;
}

extern "C" void cuda_on_processor_order(int order, unsigned seed) {
    s.order = Order(order);
    s.random.seed(seed);
}

} // namespace cuda_on_processor
