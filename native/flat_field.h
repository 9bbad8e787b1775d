// SPDX-License-Identifier: BSD-3-Clause
// Flat field and logarithm in one pass over the counts.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// Bits of the same width seen as another type.
static inline WholePart bits_of(Part a) { return (WholePart)a; }
static inline Part floats_of(WholePart a) { return (Part)a; }

// -ln t for positive normal t: t = 2^e m with m in [2/3, 4/3), x = m - 1 and ln m = x - x²/2 + x³ P(x). P is the
// polynomial of degree 7 whose largest error beside ln m is least, 5e-9 (fitted by Lawson's weights). For every t from
// 2^-19 to 2^4 the result lies within one unit in the last place of the true one.
static inline Part minus_log(Part t) {
    const WholePart bits = bits_of(t), exponent = (bits - 0x3f2aaaab) & int(0xff800000); // 0x3f2aaaab is 2/3
    const Part x = floats_of(bits - exponent) - 1.0f, e = __builtin_convertvector(exponent, Part); // 2^23 e
    Part p = x * -0.12891601026058197f + 0.13984467089176178f;
    p = p * x - 0.12184277921915054f;
    p = p * x + 0.14005862176418304f;
    p = p * x - 0.16680486500263214f;
    p = p * x + 0.20010405778884888f;
    p = p * x - 0.24999797344207764f;
    p = p * x + 0.3333321511745453f;
    p = p * x - 0.5f;
#ifdef __FMA__
    return -(e * (0.693147182f / 8388608) + (x * x * p + x));
#else // ln 2 in two parts: the first has so few digits that its product with e is exact
    return -(e * (0.693359375f / 8388608) + (x + (x * x * p + e * (-2.12194440e-4f / 8388608))));
#endif
}

static inline Part load_counts(const float* p) { return load_part(p); }
static inline Part load_counts(const std::uint16_t* p) {
    typedef std::uint16_t Words __attribute__((vector_size(2 * PART), aligned(2), may_alias));
    // By way of integers of a part's width, for which there is an instruction.
    return __builtin_convertvector(__builtin_convertvector(*reinterpret_cast<const Words*>(p), WholePart), Part);
}

struct Tally {
    WholePart clipped{}, dead{}, not_finite{}; // counted downwards, for "true" is -1
};

// The flat field of a projection between two reference groups.
static inline Part between(Part before, Part after, float fraction) { return before + fraction * (after - before); }

template <bool LOG>
static inline Part normalise_part(const FlatField& f, Part counts, Part dark, Part bright, Tally& tally) {
    const float infinity = __builtin_inff();
    const Part signal = counts - dark;
    const WholePart is_alive = (bright > 0.0f) & (bright < infinity);
    const Part limit = f.lowest_counts / bright;
    const Part faintest = limit > f.lowest_transmission ? limit : part(f.lowest_transmission);
    const Part t = signal / bright;
    const WholePart is_clipped = t < faintest;
    const Part safe = is_clipped ? faintest : t;
    const WholePart is_finite = (t > -infinity) & (safe < infinity), is_good = is_alive & is_finite;
    tally.clipped += is_good & is_clipped;
    tally.dead += ~is_alive;
    tally.not_finite += is_alive & ~is_finite;
    const Part value = LOG ? minus_log(safe) : safe;
    return is_good ? value : part(__builtin_nanf(""));
}

static inline WholePart smaller_of(WholePart a, WholePart b) { return a < b ? a : b; }
static inline WholePart larger_of(WholePart a, WholePart b) { return a > b ? a : b; }

static inline bool all(WholePart truths) {
#if TOMARIUM_PART == 16
    return _mm512_movepi32_mask((__m512i)truths) == 0xffff;
#elif TOMARIUM_PART == 8
    return _mm256_movemask_ps((__m256)truths) == 0xff;
#elif defined(__SSE2__)
    return _mm_movemask_ps((__m128)truths) == 0xf;
#else
    std::int32_t least = -1;
    for (int k = 0; k < PART; ++k) least &= truths[k];
    return least == -1;
#endif
}

// Parts that are divided before a logarithm is taken of any: mostly all of their values are good and none is clipped,
// so that nothing has to be counted or replaced. A value is the same either way.
constexpr int PARTS_AT_ONCE = 8;
constexpr std::ptrdiff_t AHEAD = 4096; // counts ahead of which memory is asked for

// One projection of `f`, and the references that belong to it.
template <class Count, bool LOG> struct Projection {
    const FlatField& f;
    const Count* counts;
    const float *dark, *before, *after, fraction;
    float* out;
    Tally tally;

    template <bool MIXED> Part bright(std::ptrdiff_t i) const {
        return MIXED ? between(load_part(before + i), load_part(after + i), fraction) : load_part(before + i);
    }

    template <bool MIXED> void one_part(std::ptrdiff_t i) {
        const Part value = normalise_part<LOG>(f, load_counts(counts + i), load_part(dark + i), bright<MIXED>(i), tally);
        store_part_past(out + i, value, f.past);
    }

    template <bool MIXED> void parts(std::ptrdiff_t i) {
        Part t[PARTS_AT_ONCE];
        // As integers positive floats have their order, negative ones are below them, and NaN lies at either end.
        WholePart least_signal = bits_of(part(__builtin_inff())), least = least_signal, most{};
        for (int k = 0; k < PARTS_AT_ONCE; ++k) {
            const std::ptrdiff_t at = i + k * PART;
            __builtin_prefetch(counts + at + AHEAD);
            const Part signal = load_counts(counts + at) - load_part(dark + at);
            t[k] = signal / bright<MIXED>(at);
            least_signal = smaller_of(least_signal, bits_of(signal));
            least = smaller_of(least, bits_of(t[k]));
            most = larger_of(most, bits_of(t[k]));
        }
        // A signal that is not below the least one has a quotient that is not below the least one's. Where both are
        // positive and finite, so is the flat field.
        const WholePart plain = (least_signal >= bits_of(part(f.lowest_counts))) &
                               (least >= bits_of(part(f.lowest_transmission))) &
                               (most < bits_of(part(__builtin_inff())));
        if (all(plain))
            for (int k = 0; k < PARTS_AT_ONCE; ++k)
                store_part_past(out + i + k * PART, LOG ? minus_log(t[k]) : t[k], f.past);
        else
            for (int k = 0; k < PARTS_AT_ONCE; ++k) one_part<MIXED>(i + k * PART);
    }

    template <bool MIXED> void whole_parts(std::ptrdiff_t& i) {
        for (; i + PARTS_AT_ONCE * PART <= f.pixels; i += PARTS_AT_ONCE * PART) parts<MIXED>(i);
        for (; i + PART <= f.pixels; i += PART) one_part<MIXED>(i);
    }

    // Fewer than a part, with lanes that are sure to be good and count as nothing.
    void few(std::ptrdiff_t i, std::size_t n) {
        Count some[PART];
        Part darks{}, b = part(1.0f), a = part(1.0f);
        for (int k = 0; k < PART; ++k) some[k] = 1;
        __builtin_memcpy(some, counts + i, n * sizeof(Count));
        __builtin_memcpy(&darks, dark + i, n * sizeof(float));
        __builtin_memcpy(&b, before + i, n * sizeof(float));
        __builtin_memcpy(&a, after + i, n * sizeof(float));
        Tally found;
        const Part flat = fraction > 0 ? between(b, a, fraction) : b;
        const Part value = normalise_part<LOG>(f, load_counts(some), darks, flat, found);
        __builtin_memcpy(out + i, &value, n * sizeof(float));
        for (int k = 0; k < int(n); ++k) {
            tally.clipped[k] += found.clipped[k];
            tally.dead[k] += found.dead[k];
            tally.not_finite[k] += found.not_finite[k];
        }
    }
};

template <class Count, bool LOG>
static void normalise_frame(const FlatField& f, std::ptrdiff_t angle) {
    const float fraction = f.fraction[angle], *before = f.bright + f.lower[angle] * f.pixels;
    Projection<Count, LOG> p{f, static_cast<const Count*>(f.counts) + angle * f.pixels, f.dark, before,
                             fraction > 0 ? before + f.pixels : before, fraction, f.out + angle * f.pixels, {}};
    std::ptrdiff_t i = 0;
    const std::ptrdiff_t beyond = std::ptrdiff_t(reinterpret_cast<std::uintptr_t>(p.out) % sizeof(Part) / sizeof(float));
    if (f.past && beyond) p.few(0, std::size_t(i = smaller(PART - beyond, f.pixels)));
    fraction > 0 ? p.template whole_parts<true>(i) : p.template whole_parts<false>(i);
    if (i < f.pixels) p.few(i, std::size_t(f.pixels - i));
    finish_stores();
    std::int64_t clipped = 0, dead = 0, not_finite = 0;
    for (int k = 0; k < PART; ++k) {
        clipped -= p.tally.clipped[k];
        dead -= p.tally.dead[k];
        not_finite -= p.tally.not_finite[k];
    }
    f.clipped[angle] = clipped;
    f.dead[angle] = dead;
    f.not_finite[angle] = not_finite;
}

static void normalise(const FlatField& f) {
#pragma omp parallel for schedule(static) num_threads(f.threads)
    for (std::ptrdiff_t angle = 0; angle < f.angles; ++angle) {
        if (f.is_float)
            f.logarithm ? normalise_frame<float, true>(f, angle) : normalise_frame<float, false>(f, angle);
        else
            f.logarithm ? normalise_frame<std::uint16_t, true>(f, angle)
                        : normalise_frame<std::uint16_t, false>(f, angle);
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
