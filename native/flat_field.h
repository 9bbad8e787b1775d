// SPDX-License-Identifier: BSD-3-Clause
// Flat field and logarithm in one pass over the counts.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// -ln t for a positive normal t: t = 2^e m with m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh s with
// s = (m - 1) / (m + 1), |s| < 0.172, whose series is cut after s^9: the rest is below 1e-9.
static inline float minus_log(float t) {
    std::int32_t bits;
    __builtin_memcpy(&bits, &t, sizeof bits);
    const std::int32_t exponent = (bits - 0x3f3504f3) >> 23; // 0x3f3504f3 is sqrt(1/2)
    bits -= exponent * (1 << 23);
    float m;
    __builtin_memcpy(&m, &bits, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f), q = s * s;
    const float series = s + s * q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9))));
    const float e = float(exponent);
    // ln 2 in two parts: the first has so few digits that its product with e is exact
    return -(e * 0.693359375f + (e * -2.12194440e-4f + 2.0f * series));
}

template <class Count, bool LOG>
static void normalise_frame(const FlatField& f, std::ptrdiff_t angle) {
    const Count* counts = static_cast<const Count*>(f.counts) + angle * f.pixels;
    const float* before = f.bright + f.lower[angle] * f.pixels;
    const float fraction = f.fraction[angle];
    const float* after = fraction > 0 ? before + f.pixels : before;
    float* out = f.out + angle * f.pixels;
    const float infinity = __builtin_inff(), nothing = __builtin_nanf("");
    const float lowest_counts = f.lowest_counts, lowest = f.lowest_transmission;
    constexpr std::ptrdiff_t CHUNK = 1 << 20; // 32-bit counters fill the vector lanes and cannot overflow
    std::int64_t clipped = 0, dead = 0, not_finite = 0;
    for (std::ptrdiff_t start = 0; start < f.pixels; start += CHUNK) {
        const std::ptrdiff_t stop = smaller(start + CHUNK, f.pixels);
        std::int32_t n_clipped = 0, n_dead = 0, n_not_finite = 0;
#pragma omp simd reduction(+ : n_clipped, n_dead, n_not_finite)
        for (std::ptrdiff_t i = start; i < stop; ++i) {
            const float bright = before[i] + fraction * (after[i] - before[i]);
            const float signal = float(counts[i]) - f.dark[i];
            const bool is_alive = (bright > 0) & (bright < infinity);
            const bool is_finite = (signal > -infinity) & (signal < infinity);
            const float faintest = larger(lowest, lowest_counts / bright);
            const float t = signal / bright;
            const bool is_clipped = t < faintest;
            const float safe = is_clipped ? faintest : t;
            const bool is_good = is_alive & is_finite;
            out[i] = is_good ? (LOG ? minus_log(safe) : safe) : nothing;
            n_clipped += is_good & is_clipped;
            n_dead += !is_alive;
            n_not_finite += is_alive & !is_finite;
        }
        clipped += n_clipped;
        dead += n_dead;
        not_finite += n_not_finite;
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
