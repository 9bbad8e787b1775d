// SPDX-License-Identifier: BSD-3-Clause
// Moments and histogram of part of an image; every row has a first and a last column (a disc, say).
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// Registers that hold half of a part as doubles, so that sums stay in them: see Part.
constexpr int HALF = PART / 2, HALVES = LANES / HALF;
typedef double HalfDoubles __attribute__((vector_size(8 * HALF), aligned(8 * HALF), may_alias));
typedef float HalfFloats __attribute__((vector_size(4 * HALF), aligned(4 * HALF), may_alias));
typedef std::int32_t Whole __attribute__((vector_size(64), aligned(64), may_alias));

// Values of a line, of whatever type they are.
static inline Line load_line(const float* p) { return load(p); }
template <class Number> static inline Line load_line(const Number* p) {
    typedef Number Numbers __attribute__((vector_size(LANES * sizeof(Number)), aligned(sizeof(Number)), may_alias));
    return __builtin_convertvector(*reinterpret_cast<const Numbers*>(p), Line);
}

// Minimum, maximum and sums of some lines, lane by lane.
struct LineMoments {
    HalfDoubles sum[HALVES] = {}, squares[HALVES] = {};
    Part low[PARTS], high[PARTS];
    std::int64_t not_finite = 0;

    LineMoments(float minimum, float maximum) {
        for (int p = 0; p < PARTS; ++p) low[p] = part(minimum), high[p] = part(maximum);
    }

#if defined(__AVX512DQ__) && TOMARIUM_PART == 16
    void add(Line line) {
        __m512 x = (__m512)line;
        const __mmask16 lost = _mm512_fpclass_ps_mask(x, 0x99); // NaN of both kinds, infinity of both signs
        if (lost) {
            not_finite += __builtin_popcount(lost);
            const __mmask16 finite = __mmask16(~lost);
            low[0] = (Part)_mm512_mask_min_ps((__m512)low[0], finite, x, (__m512)low[0]);
            high[0] = (Part)_mm512_mask_max_ps((__m512)high[0], finite, x, (__m512)high[0]);
            x = _mm512_maskz_mov_ps(finite, x); // they add nothing
        } else {
            low[0] = (Part)_mm512_min_ps(x, (__m512)low[0]);
            high[0] = (Part)_mm512_max_ps(x, (__m512)high[0]);
        }
        add_sums((Part)x, 0);
    }
#else
    void add(Line line) {
        const float most = __FLT_MAX__;
        for (int p = 0; p < PARTS; ++p) {
            Part x = reinterpret_cast<const Part*>(&line)[p];
            const WholePart finite = (WholePart)(x <= most) & (WholePart)(x >= -most); // "true" is -1
            low[p] = finite & (WholePart)(x < low[p]) ? x : low[p];
            high[p] = finite & (WholePart)(x > high[p]) ? x : high[p];
            counted_[p] += finite + 1;
            add_sums((Part)((WholePart)x & finite), p);
        }
    }
#endif

    std::int64_t lost() const {
        std::int64_t count = not_finite;
        for (int lane = 0; lane < LANES; ++lane) count += counted_[lane / PART][lane % PART];
        return count;
    }

  private:
    WholePart counted_[PARTS] = {}; // not finite

    void add_sums(Part x, int p) {
        for (int half = 0; half < 2; ++half) {
            const HalfFloats some = reinterpret_cast<const HalfFloats*>(&x)[half];
            const HalfDoubles wide = __builtin_convertvector(some, HalfDoubles);
            sum[2 * p + half] += wide;
            squares[2 * p + half] += wide * wide;
        }
    }
};

// Places of values among the bins; that of a value in none is `bins`. Of what is not finite, or too large for a whole
// number, the processor's conversion makes the least one, which lies beyond them as a number without sign.
#if defined(__AVX512F__) && TOMARIUM_PART == 16
static inline Whole places_of(Line x, float scale, std::int32_t origin, std::int32_t bins) {
    const __m512i floor = _mm512_cvt_roundps_epi32((__m512)(x * scale), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return (Whole)_mm512_min_epu32(_mm512_sub_epi32(floor, _mm512_set1_epi32(origin)), _mm512_set1_epi32(bins));
}
#elif defined(__AVX2__) && TOMARIUM_PART == 8
static inline Whole places_of(Line x, float scale, std::int32_t origin, std::int32_t bins) {
    Whole places;
    for (int p = 0; p < PARTS; ++p) {
        const Part some = reinterpret_cast<const Part*>(&x)[p] * scale;
        const __m256i floor = _mm256_cvttps_epi32(_mm256_floor_ps((__m256)some));
        reinterpret_cast<WholePart*>(&places)[p] = (WholePart)_mm256_min_epu32(
            _mm256_sub_epi32(floor, _mm256_set1_epi32(origin)), _mm256_set1_epi32(bins));
    }
    return places;
}
#else
static inline Whole places_of(Line x, float scale, std::int32_t origin, std::int32_t bins) {
    const float most = __FLT_MAX__, edge = 1073741824.0f; // beyond it no bin is, and the conversion would overflow
    const Whole finite = (Whole)(x <= most) & (Whole)(x >= -most);
    x = (Line)((Whole)x & finite) * scale;
    x = x < edge ? (x > -edge ? x : spread(-edge)) : spread(edge);
    const Whole cut = __builtin_convertvector(x, Whole);
    const Whole place = cut + (Whole)(__builtin_convertvector(cut, Line) > x) - origin; // floor: "true" is -1
    const Whole inside = finite & (Whole)(place >= 0) & (Whole)(place < bins);
    return inside ? place : Whole{} + bins;
}
#endif

// Where the values of a part of an image lie among the bins of a histogram.
struct Bins {
    float scale;
    std::int32_t origin, bins;
    std::int64_t* counts;
    // Four tables, so that neighbours in one bin need not wait for each other; filled for some rows, then added up.
    std::int32_t table[4][HISTOGRAM_BINS + 1] = {};

    void add(Line line) {
        const Whole places = places_of(line, scale, origin, bins);
        const std::uint64_t* two = reinterpret_cast<const std::uint64_t*>(&places);
#pragma GCC unroll 8
        for (int pair = 0; pair < LANES / 2; ++pair) {
            std::uint64_t both;
            __builtin_memcpy(&both, two + pair, sizeof both);
            ++table[2 * pair & 3][std::uint32_t(both)];
            ++table[(2 * pair & 3) + 1][both >> 32];
        }
    }

    template <class Value> void add_rest(const Value* values, int count) {
        Line rest{};
        for (int lane = 0; lane < count; ++lane) rest[lane] = float(values[lane]);
        const Whole places = places_of(rest, scale, origin, bins);
        for (int lane = 0; lane < count; ++lane) ++table[lane & 3][places[lane]];
    }

    // A count of 2^31 would overflow: a row has fewer columns than that by far, so empty the tables in time.
    void end_row(std::ptrdiff_t row, std::ptrdiff_t rows) {
        if ((row & 4095) != 4095 && row + 1 != rows) return;
        for (int bin = 0; bin < bins; ++bin)
            for (int k = 0; k < 4; ++k) {
                counts[bin] += table[k][bin];
                table[k][bin] = 0;
            }
    }
};

// With bins, the histogram is counted in the same pass.
template <bool BINNED, class Value> static void moments_of(const ImagePart& image, Moments& m, Bins* bins) {
    const float most = __FLT_MAX__;
    for (std::ptrdiff_t row = 0; row < image.rows; ++row) {
        const Value* line = static_cast<const Value*>(image.data) + row * image.columns;
        const int first = image.first[row], last = image.last[row];
        LineMoments lines(m.minimum, m.maximum);
        int k = first;
        for (; k + LANES <= last; k += LANES) {
            const Line some = load_line(line + k);
            lines.add(some);
            if (BINNED) bins->add(some);
        }
        if (BINNED) {
            if (k < last) bins->add_rest(line + k, last - k);
            bins->end_row(row, image.rows);
        }
        std::int64_t good = k - first - lines.lost();
        double total = 0, total_squares = 0;
        for (int lane = 0; lane < LANES; ++lane) {
            total += lines.sum[lane / HALF][lane % HALF];
            total_squares += lines.squares[lane / HALF][lane % HALF];
            m.minimum = smaller(m.minimum, lines.low[lane / PART][lane % PART]);
            m.maximum = larger(m.maximum, lines.high[lane / PART][lane % PART]);
        }
        for (; k < last; ++k) {
            const float x = float(line[k]);
            if (!(x <= most && x >= -most)) continue;
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

static void moments(const ImagePart& image, Moments& m) {
    if (image.bytes == 4) moments_of<false, float>(image, m, nullptr);
    else if (image.bytes == 2) moments_of<false, std::uint16_t>(image, m, nullptr);
    else moments_of<false, std::uint8_t>(image, m, nullptr);
}

// The same, and the histogram: see there.
static void moments_and_histogram(const ImagePart& image, Moments& m, float scale, std::int32_t origin, std::int32_t bins,
                                  std::int64_t* counts) {
    Bins some{scale, origin, bins, counts};
    if (image.bytes == 4) moments_of<true, float>(image, m, &some);
    else if (image.bytes == 2) moments_of<true, std::uint16_t>(image, m, &some);
    else moments_of<true, std::uint8_t>(image, m, &some);
}

// Bin i holds the finite values with floor(value * scale) = origin + i, scale being a power of two.
template <class Value> static void histogram_of(const ImagePart& image, Bins& bins) {
    for (std::ptrdiff_t row = 0; row < image.rows; ++row) {
        const Value* line = static_cast<const Value*>(image.data) + row * image.columns;
        const int last = image.last[row];
        int k = image.first[row];
        for (; k + LANES <= last; k += LANES) bins.add(load_line(line + k));
        if (k < last) bins.add_rest(line + k, last - k);
        bins.end_row(row, image.rows);
    }
}

static void histogram(const ImagePart& image, float scale, std::int32_t origin, std::int32_t bins, std::int64_t* counts) {
    Bins some{scale, origin, bins, counts};
    if (image.bytes == 4) histogram_of<float>(image, some);
    else if (image.bytes == 2) histogram_of<std::uint16_t>(image, some);
    else histogram_of<std::uint8_t>(image, some);
}

} // namespace tomarium::TOMARIUM_LEVEL
