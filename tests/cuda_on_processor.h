// SPDX-License-Identifier: BSD-3-Clause
// Compiles a CUDA kernel as C++ and runs it on one processor, so that its one source is tested without a GPU.
//
// Every thread of a block is a fiber (ucontext). A fiber runs until its thread waits for others or ends; a thread
// that never waits costs no switch at all, for the fiber then goes on with the next thread. Threads are taken in
// order, backwards or at random, and so are blocks.
//
// A kernel is compiled with `-include cuda_on_processor.h`. What runs the threads is cuda_on_processor.cpp.
#ifndef CUDA_ON_PROCESSOR_H
#define CUDA_ON_PROCESSOR_H
#ifdef __CUDACC__
#error "cuda_on_processor.h is for C++ compilers only"
#endif
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

// ---- the language -------------------------------------------------------------------------------------------

#define __global__ __attribute__((noinline))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
// A section of its own, so that it can be filled with rubbish before each block.
#define __shared__ static __attribute__((section("cuda_shared")))
#define __constant__ static
// In a kernel: DYNAMIC_SHARED(float, tile); for NVRTC define it as extern __shared__ T name[].
#define DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(cuda_on_processor::dynamic_shared())

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

#define CUDA_ON_PROCESSOR_VECTOR(T, N, A2, A4)                                                                            \
    struct alignas(A2) N##2 { T x, y; };                                                                            \
    struct N##3 { T x, y, z; };                                                                                     \
    struct alignas(A4) N##4 { T x, y, z, w; };                                                                      \
    inline N##2 make_##N##2(T x, T y) { return {x, y}; }                                                            \
    inline N##3 make_##N##3(T x, T y, T z) { return {x, y, z}; }                                                    \
    inline N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CUDA_ON_PROCESSOR_VECTOR(float, float, 8, 16)
CUDA_ON_PROCESSOR_VECTOR(int, int, 8, 16)
CUDA_ON_PROCESSOR_VECTOR(double, double, 16, 16)
CUDA_ON_PROCESSOR_VECTOR(unsigned short, ushort, 4, 8)
#undef CUDA_ON_PROCESSOR_VECTOR

// ---- functions ----------------------------------------------------------------------------------------------

#define CUDA_ON_PROCESSOR_EXTREMA(T)                                                                                      \
    inline T min(T a, T b) { return b < a ? b : a; }                                                                \
    inline T max(T a, T b) { return a < b ? b : a; }
CUDA_ON_PROCESSOR_EXTREMA(int)
CUDA_ON_PROCESSOR_EXTREMA(unsigned)
CUDA_ON_PROCESSOR_EXTREMA(long)
CUDA_ON_PROCESSOR_EXTREMA(unsigned long)
CUDA_ON_PROCESSOR_EXTREMA(long long)
CUDA_ON_PROCESSOR_EXTREMA(unsigned long long)
#undef CUDA_ON_PROCESSOR_EXTREMA
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

// Macros, for the C library declares functions of these names.
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __expf(x) expf(x)
#define __exp10f(x) exp10f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __powf(x, y) powf(x, y)
#define __sincosf(x, s, c) sincosf(x, s, c)
#define __fdividef(x, y) ((x) / (y))
#define __fsqrt_rn(x) sqrtf(x)
#define __fmaf_rn(x, y, z) fmaf(x, y, z)
#define __fmul_rn(x, y) ((x) * (y))
#define __fadd_rn(x, y) ((x) + (y))
#define __saturatef(x) fminf(fmaxf(x, 0.0f), 1.0f)
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float sinpif(float x) { return float(sin(3.14159265358979323846 * remainder(double(x), 2.0))); }
inline float cospif(float x) { return float(cos(3.14159265358979323846 * remainder(double(x), 2.0))); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
inline int __float2int_rd(float x) { return int(floorf(x)); }
inline int __float2int_ru(float x) { return int(ceilf(x)); }
inline int __float2int_rn(float x) { return int(nearbyintf(x)); }
inline int __float2int_rz(float x) { return int(x); }
inline float __int2float_rn(int x) { return float(x); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline void __stcs(T* p, T value) { *p = value; }

// 16-bit floats are for storage only; a source has these two as PTX where it is compiled for a GPU.
inline unsigned short half_bits(float x) { return __builtin_bit_cast(unsigned short, _Float16(x)); }
inline float float_of_half(unsigned short bits) { return float(__builtin_bit_cast(_Float16, bits)); }

template <class T> inline std::enable_if_t<std::is_integral_v<T>, T> atomicAdd(T* p, std::common_type_t<T> v) {
    return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
template <class T> inline std::enable_if_t<std::is_floating_point_v<T>, T> atomicAdd(T* p, std::common_type_t<T> v) {
    T before, after;
    __atomic_load(p, &before, __ATOMIC_RELAXED);
    do after = before + v;
    while (!__atomic_compare_exchange(p, &before, &after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return before;
}
template <class T> inline T atomicCAS(T* p, std::common_type_t<T> expected, std::common_type_t<T> v) {
    __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}
template <class T> inline T atomicExch(T* p, std::common_type_t<T> v) {
    return __atomic_exchange_n(p, v, __ATOMIC_RELAXED);
}
inline unsigned atomicOr(unsigned* p, unsigned v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }
template <class T> inline T atomicMax(T* p, std::common_type_t<T> v) {
    T before = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (before < v && !__atomic_compare_exchange_n(p, &before, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return before;
}
template <class T> inline T atomicMin(T* p, std::common_type_t<T> v) {
    T before = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (v < before && !__atomic_compare_exchange_n(p, &before, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return before;
}
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
[[noreturn]] inline void __trap() { __builtin_trap(); }

// ---- threads that wait for each other -----------------------------------------------------------------------

namespace cuda_on_processor {

enum class Order : int { forward, backward, random };
typedef void (*OneThread)(void* kernel, void** arguments);

void* dynamic_shared();
int block_barrier(int line, int predicate); // returns how many predicates were true
// Hands `bytes` of each lane of `mask` to the lane that asks for them, and returns the lanes with a predicate.
unsigned warp_exchange(int line, unsigned mask, int source, const void* given, void* received, std::size_t bytes);
const char* run(dim3 grid, dim3 block, std::size_t shared, OneThread call, void* kernel, void** arguments);

template <class T> T shuffle(int line, unsigned mask, T value, int source) {
    static_assert(sizeof(T) <= 16, "shuffles move at most 16 bytes");
    T received;
    warp_exchange(line, mask, source, &value, &received, sizeof(T));
    return received;
}
inline int lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }
template <class T> T shuffle_index(int line, unsigned mask, T v, int from, int width = 32) {
    return shuffle(line, mask, v, (lane() & -width) + (from & (width - 1)));
}
template <class T> T shuffle_down(int line, unsigned mask, T v, unsigned delta, int width = 32) {
    const int to = (lane() & (width - 1)) + int(delta);
    return shuffle(line, mask, v, to < width ? lane() + int(delta) : lane());
}
template <class T> T shuffle_up(int line, unsigned mask, T v, unsigned delta, int width = 32) {
    const int to = (lane() & (width - 1)) - int(delta);
    return shuffle(line, mask, v, to >= 0 ? lane() - int(delta) : lane());
}
template <class T> T shuffle_xor(int line, unsigned mask, T v, int bits, int width = 32) {
    const int from = lane() ^ bits;
    return shuffle(line, mask, v, (from & -width) <= (lane() & -width) ? from : lane());
}
inline unsigned ballot(int line, unsigned mask, int predicate) {
    return warp_exchange(line, mask, predicate ? -1 : -2, nullptr, nullptr, 0);
}

// ---- calls from Python --------------------------------------------------------------------------------------

template <class T> constexpr const char* code() { // as NumPy writes it; pointers end in *
    if constexpr (std::is_pointer_v<T>) {
        typedef std::remove_cv_t<std::remove_pointer_t<T>> E;
        if constexpr (std::is_same_v<E, float>) return "f4*";
        else if constexpr (std::is_same_v<E, double>) return "f8*";
        else if constexpr (std::is_same_v<E, float2>) return "c8*";
        else if constexpr (std::is_same_v<E, float4>) return "f4*4";
        else if constexpr (std::is_integral_v<E>)
            return std::is_signed_v<E> ? sizeof(E) == 1 ? "i1*" : sizeof(E) == 2 ? "i2*" : sizeof(E) == 4 ? "i4*" : "i8*"
                                       : sizeof(E) == 1 ? "u1*" : sizeof(E) == 2 ? "u2*" : sizeof(E) == 4 ? "u4*" : "u8*";
        else return "?*";
    } else if constexpr (std::is_same_v<T, float>) return "f4";
    else if constexpr (std::is_same_v<T, double>) return "f8";
    else if constexpr (std::is_integral_v<T>)
        return std::is_signed_v<T> ? sizeof(T) == 4 ? "i4" : sizeof(T) == 8 ? "i8" : "?"
                                   : sizeof(T) == 4 ? "u4" : sizeof(T) == 8 ? "u8" : "?";
    else return "?";
}

template <class... P, std::size_t... I>
void call_once(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_cv_t<P>*>(arguments[I])...);
}
template <class... P> struct Caller {
    static void one_thread(void* kernel, void** arguments) {
        call_once(reinterpret_cast<void (*)(P...)>(kernel), arguments, std::index_sequence_for<P...>{});
    }
};
template <class... P> constexpr OneThread caller(void (*)(P...)) { return &Caller<P...>::one_thread; }
template <class... P> const char* const* codes(void (*)(P...)) {
    static const char* const list[] = {code<P>()..., nullptr};
    return list;
}

// From C++: null, or what went wrong.
template <class... P, class... A> const char* launch(void (*kernel)(P...), dim3 grid, dim3 block, A... arguments) {
    static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the kernel takes");
    return [&](P... converted) {
        void* list[] = {const_cast<void*>(static_cast<const void*>(&converted))..., nullptr};
        return run(grid, block, 0, caller(kernel), reinterpret_cast<void*>(kernel), list);
    }(arguments...);
}

} // namespace cuda_on_processor

// Makes a kernel callable as NAME__run(grid, block, shared bytes, arguments), and lists its parameters.
#define CUDA_ON_PROCESSOR_EXPORT(NAME)                                                                                    \
    extern "C" const char* const* NAME##__codes() { return cuda_on_processor::codes(&NAME); }                             \
    extern "C" const char* NAME##__run(const unsigned* g, const unsigned* b, std::size_t shared, void** arguments) { \
        return cuda_on_processor::run(dim3(g[0], g[1], g[2]), dim3(b[0], b[1], b[2]), shared, cuda_on_processor::caller(&NAME), \
                                reinterpret_cast<void*>(&NAME), arguments);                                         \
    }

#define __syncthreads() ((void)cuda_on_processor::block_barrier(__LINE__, 0))
#define __syncthreads_count(p) cuda_on_processor::block_barrier(__LINE__, (p) != 0)
#define __syncthreads_or(p) (cuda_on_processor::block_barrier(__LINE__, (p) != 0) != 0)
#define __syncthreads_and(p) (cuda_on_processor::block_barrier(__LINE__, (p) == 0) == 0)
#define CUDA_ON_PROCESSOR_MASK(mask, ...) mask
#define __syncwarp(...) ((void)cuda_on_processor::ballot(__LINE__, CUDA_ON_PROCESSOR_MASK(__VA_ARGS__ __VA_OPT__(,) 0xffffffffu, 0), 0))
#define __ballot_sync(mask, p) cuda_on_processor::ballot(__LINE__, mask, p)
#define __any_sync(mask, p) (cuda_on_processor::ballot(__LINE__, mask, p) != 0)
#define __all_sync(mask, p) (cuda_on_processor::ballot(__LINE__, mask, !(p)) == 0)
#define __shfl_sync(...) cuda_on_processor::shuffle_index(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) cuda_on_processor::shuffle_up(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) cuda_on_processor::shuffle_down(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) cuda_on_processor::shuffle_xor(__LINE__, __VA_ARGS__)
#endif
