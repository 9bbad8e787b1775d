// SPDX-License-Identifier: BSD-3-Clause
// Moments and histogram of part of an image; every row has a first and a last column (a disc, say).
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

typedef double Doubles __attribute__((vector_size(128), aligned(128), may_alias)); // as many as a line has floats
typedef std::int32_t Whole __attribute__((vector_size(64), aligned(64), may_alias));

// NaN and infinity become zero; what is finite is marked by -1.
static inline Line only_finite(Line x, Whole& finite) {
    const float most = __FLT_MAX__;
    finite = (Whole)(x <= most) & (Whole)(x >= -most);
    return (Line)((Whole)x & finite);
}

static void moments(const ImagePart& image, Moments& m) {
    for (std::ptrdiff_t row = 0; row < image.rows; ++row) {
        const float* line = image.data + row * image.columns;
        const int first = image.first[row], last = image.last[row];
        Doubles sum{}, squares{};
        Line low = spread(m.minimum), high = spread(m.maximum);
        Whole counted{};
        int k = first;
        for (; k + LANES <= last; k += LANES) {
            Whole finite;
            const Line raw = load(line + k), x = only_finite(raw, finite);
            const Doubles wide = __builtin_convertvector(x, Doubles);
            sum += wide;
            squares += wide * wide;
            counted -= finite;
            low = finite ? (x < low ? x : low) : low;
            high = finite ? (x > high ? x : high) : high;
        }
        std::int64_t good = 0;
        double total = 0, total_squares = 0;
        for (int lane = 0; lane < LANES; ++lane) {
            good += counted[lane];
            total += sum[lane];
            total_squares += squares[lane];
            m.minimum = smaller(m.minimum, low[lane]);
            m.maximum = larger(m.maximum, high[lane]);
        }
        for (; k < last; ++k) {
            const float x = line[k];
            if (!(x <= __FLT_MAX__ && x >= -__FLT_MAX__)) continue;
            ++good;
            total += x;
            total_squares += double(x) * x;
            m.minimum = smaller(m.minimum, x);
            m.maximum = larger(m.maximum, x);
        }
        m.sum += total;
        m.sum_squares += total_squares;
        m.count += good;
        if (last > first) m.not_finite += last - first - good;
    }
}

// Bin i holds the finite values with floor(value * scale) = origin + i, scale being a power of two.
static void histogram(const ImagePart& image, float scale, std::int32_t origin, std::int32_t bins, std::int64_t* counts) {
    // Four tables, so that neighbours in one bin need not wait for each other; filled for some rows, then added up.
    static_assert(HISTOGRAM_BINS % LANES == 0, "tables are whole lines");
    std::int32_t table[4][HISTOGRAM_BINS + 1] = {};
    alignas(64) std::int32_t places[LANES];
    for (std::ptrdiff_t row = 0; row < image.rows; ++row) {
        const float* line = image.data + row * image.columns;
        const int last = image.last[row];
        for (int k = image.first[row]; k < last; k += LANES) {
            const int there = smaller(LANES, last - k);
            Line raw{};
            if (there == LANES) raw = load(line + k);
            else
                for (int lane = 0; lane < there; ++lane) raw[lane] = line[k + lane];
            Whole finite;
            Line x = only_finite(raw, finite) * scale;
            const float edge = 1073741824.0f; // beyond it no bin is, and the conversion would overflow
            x = x < edge ? (x > -edge ? x : spread(-edge)) : spread(edge);
            const Whole cut = __builtin_convertvector(x, Whole);
            const Whole place = cut + (Whole)(__builtin_convertvector(cut, Line) > x) - origin; // floor: "true" is -1
            const Whole inside = finite & (Whole)(place >= 0) & (Whole)(place < bins);
            *reinterpret_cast<Whole*>(places) = inside ? place : Whole{} + bins;
            for (int lane = 0; lane < there; ++lane) ++table[lane & 3][places[lane]];
        }
        // A count of 2^31 would overflow: a row has fewer columns than that by far, so empty the tables in time.
        if ((row & 4095) == 4095 || row + 1 == image.rows)
            for (int bin = 0; bin < bins; ++bin)
                for (int k = 0; k < 4; ++k) {
                    counts[bin] += table[k][bin];
                    table[k][bin] = 0;
                }
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
