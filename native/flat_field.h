// SPDX-License-Identifier: BSD-3-Clause
// Flat field and logarithm in one pass over the counts.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

typedef std::int32_t Integers __attribute__((vector_size(64), aligned(64), may_alias));

// Bits of the same width seen as another type.
static inline Integers bits_of(Line a) { return (Integers)a; }
static inline Line floats_of(Integers a) { return (Line)a; }

// -ln t for positive normal t: t = 2^e m with m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh s with
// s = (m - 1) / (m + 1), |s| < 0.172, whose series is cut after s^9: the rest is below 1e-9.
static inline Line minus_log(Line t) {
    const Integers bits = bits_of(t), exponent = (bits - 0x3f3504f3) >> 23; // 0x3f3504f3 is sqrt(1/2)
    const Line m = floats_of(bits - (exponent << 23)), e = __builtin_convertvector(exponent, Line);
    const Line s = (m - 1.0f) / (m + 1.0f), q = s * s;
    const Line series = s + s * q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9))));
    // ln 2 in two parts: the first has so few digits that its product with e is exact
    return -(e * 0.693359375f + (e * -2.12194440e-4f + 2.0f * series));
}

static inline Line load_counts(const float* p) { return load(p); }
static inline Line load_counts(const std::uint16_t* p) {
    typedef std::uint16_t Words __attribute__((vector_size(32), aligned(2), may_alias));
    return __builtin_convertvector(*reinterpret_cast<const Words*>(p), Line);
}

struct Tally {
    Integers clipped{}, dead{}, not_finite{}; // counted downwards, for "true" is -1
};

template <bool LOG>
static inline Line normalise_line(const FlatField& f, Line counts, Line dark, Line before, Line after, float fraction,
                                  Tally& tally) {
    const float infinity = __builtin_inff();
    const Line bright = before + fraction * (after - before), signal = counts - dark;
    const Integers is_alive = (bright > 0.0f) & (bright < infinity);
    const Line limit = f.lowest_counts / bright;
    const Line faintest = limit > f.lowest_transmission ? limit : spread(f.lowest_transmission);
    const Line t = signal / bright;
    const Integers is_clipped = t < faintest;
    const Line safe = is_clipped ? faintest : t;
    const Integers is_finite = (t > -infinity) & (safe < infinity), is_good = is_alive & is_finite;
    tally.clipped += is_good & is_clipped;
    tally.dead += ~is_alive;
    tally.not_finite += is_alive & ~is_finite;
    const Line value = LOG ? minus_log(safe) : safe;
    return is_good ? value : spread(__builtin_nanf(""));
}

template <class Count, bool LOG>
static void normalise_frame(const FlatField& f, std::ptrdiff_t angle) {
    const Count* counts = static_cast<const Count*>(f.counts) + angle * f.pixels;
    const float fraction = f.fraction[angle], *before = f.bright + f.lower[angle] * f.pixels;
    const float* after = fraction > 0 ? before + f.pixels : before;
    float* out = f.out + angle * f.pixels;
    Tally tally;
    std::ptrdiff_t i = 0;
    for (; i + LANES <= f.pixels; i += LANES)
        store(out + i, normalise_line<LOG>(f, load_counts(counts + i), load(f.dark + i), load(before + i),
                                           load(after + i), fraction, tally));
    if (i < f.pixels) { // the last few, with lanes that are sure to be good and count as nothing
        Count last[LANES];
        Line dark{}, b = spread(1.0f), a = spread(1.0f);
        const std::size_t n = std::size_t(f.pixels - i);
        for (int j = 0; j < LANES; ++j) last[j] = 1;
        __builtin_memcpy(last, counts + i, n * sizeof(Count));
        __builtin_memcpy(&dark, f.dark + i, n * sizeof(float));
        __builtin_memcpy(&b, before + i, n * sizeof(float));
        __builtin_memcpy(&a, after + i, n * sizeof(float));
        Tally rest;
        const Line value = normalise_line<LOG>(f, load_counts(last), dark, b, a, fraction, rest);
        __builtin_memcpy(out + i, &value, n * sizeof(float));
        for (int j = 0; j < int(n); ++j) {
            tally.clipped[j] += rest.clipped[j];
            tally.dead[j] += rest.dead[j];
            tally.not_finite[j] += rest.not_finite[j];
        }
    }
    std::int64_t clipped = 0, dead = 0, not_finite = 0;
    for (int j = 0; j < LANES; ++j) {
        clipped -= tally.clipped[j];
        dead -= tally.dead[j];
        not_finite -= tally.not_finite[j];
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
