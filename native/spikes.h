// SPDX-License-Identifier: BSD-3-Clause
// Spikes: pixels far above the median of their 3 x 3 neighbourhood, in units of the noise at its brightness. The
// median of nine is that of the largest of the three columns' smallest, the median of their medians and the smallest
// of their largest, so that each column of three is sorted once for three pixels.
#pragma once
#include "flat_field.h"
#include "gridding.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int MOST_BRIGHT = 4;   // pixels of a spike; what is larger was seen, as an edge or a crack is
constexpr double SKIRT = 3;      // deviations above which a pixel beside a spike is part of it

static inline float brightest_if_none(float v) { // what is not finite counts as brighter than all
    return __builtin_fabsf(v) <= 3.40282347e38f ? v : __builtin_inff();
}
static inline Line brightest_if_none(Line v) {
    const float largest = 3.40282347e38f;
    return (v >= -largest) & (v <= largest) ? v : spread(__builtin_inff());
}

template <class T> static inline void order(T& a, T& b) {
    const T low = smaller(a, b);
    b = larger(a, b);
    a = low;
}
template <class T> static inline T middle_of(T a, T b, T c) {
    order(a, b);
    return larger(a, smaller(b, c));
}

// The frame at hand: a pixel, its median and the noise there.
template <class Count> struct Frame {
    const Spikes& s;
    const Count* pixels;

    float value(int row, int column) const { return brightest_if_none(float(pixels[row * std::ptrdiff_t(s.columns) + column])); }

    float median(int row, int column) const {
        float low[3], middle[3], high[3];
        for (int j = 0; j < 3; ++j) {
            const int c = smaller(larger(column + j - 1, 0), s.columns - 1);
            float a = value(larger(row - 1, 0), c), b = value(row, c), d = value(smaller(row + 1, s.rows - 1), c);
            order(a, b);
            order(b, d);
            order(a, b);
            low[j] = a;
            middle[j] = b;
            high[j] = d;
        }
        return middle_of(larger(larger(low[0], low[1]), low[2]), middle_of(middle[0], middle[1], middle[2]),
                         smaller(smaller(high[0], high[1]), high[2]));
    }

    // Linear between the levels, level beyond them.
    double noise(float brightness) const {
        int begin = 0, end = s.levels; // the first level above the brightness
        while (begin < end) {
            const int middle = (begin + end) / 2;
            if (s.brightness[middle] > brightness) end = middle;
            else begin = middle + 1;
        }
        if (end == 0) return s.sigma[0];
        if (end == s.levels) return s.sigma[end - 1];
        const double x0 = s.brightness[end - 1], slope = (s.sigma[end] - s.sigma[end - 1]) / (s.brightness[end] - x0);
        return slope * (brightness - x0) + s.sigma[end - 1];
    }

    bool stands_out(int row, int column, float median, double deviations) const {
        const float v = float(pixels[row * std::ptrdiff_t(s.columns) + column]);
        return v - median < __builtin_inff() && double(v - median) > deviations * noise(median);
    }

    // Grows from the pixel over neighbours that rise half as high, until there are too many.
    bool is_small(int row, int column, float median) const {
        const float half = median + 0.5f * (value(row, column) - median);
        int ys[MOST_BRIGHT] = {row}, xs[MOST_BRIGHT] = {column}, count = 1;
        for (int n = 0; n < count; ++n)
            for (int y = larger(ys[n] - 1, 0); y <= smaller(ys[n] + 1, s.rows - 1); ++y)
                for (int x = larger(xs[n] - 1, 0); x <= smaller(xs[n] + 1, s.columns - 1); ++x) {
                    bool is_new = value(y, x) > half;
                    for (int k = 0; k < count; ++k) is_new = is_new && !(ys[k] == y && xs[k] == x);
                    if (!is_new) continue;
                    if (count == MOST_BRIGHT) return false;
                    ys[count] = y;
                    xs[count++] = x;
                }
        return true;
    }

    // Replaces the spike and what belongs to it beside; returns how many pixels took another value.
    std::int64_t mend(int row, int column, Count* out) const {
        std::int64_t count = 0;
        for (int y = larger(row - 1, 0); y <= smaller(row + 1, s.rows - 1); ++y)
            for (int x = larger(column - 1, 0); x <= smaller(column + 1, s.columns - 1); ++x) {
                const float m = median(y, x);
                Count& to = out[y * std::ptrdiff_t(s.columns) + x];
                if (!stands_out(y, x, m, SKIRT)) continue;
                count += to == pixels[y * std::ptrdiff_t(s.columns) + x]; // not yet: a median is below what stands out
                to = Count(m);
            }
        return count;
    }
};

// One row of the frame as floats, with one pixel repeated on either side; `to` is the place of the first.
template <class Count> static void widen(const Spikes& s, const Count* from, float* to) {
    int c = 0;
    for (; c + LANES <= s.columns; c += LANES) store(to + c, brightest_if_none(load_counts(from + c)));
    for (; c < s.columns; ++c) to[c] = brightest_if_none(float(from[c]));
    to[-1] = to[0];
    to[s.columns] = to[s.columns - 1];
}

static inline std::ptrdiff_t spikes_stride(const Spikes& s) { return s.columns / LANES * LANES + 3 * LANES; }
static std::ptrdiff_t spikes_scratch_lines(const Spikes& s) { return 6 * spikes_stride(s) / LANES; }

template <class Count> static std::int64_t mend_frame(const Spikes& s, std::ptrdiff_t number, float* scratch) {
    const std::ptrdiff_t stride = spikes_stride(s), pixels = std::ptrdiff_t(s.rows) * s.columns;
    const Frame<Count> frame{s, static_cast<const Count*>(s.frames) + number * pixels};
    Count* out = static_cast<Count*>(s.out) + number * pixels;
    __builtin_memcpy(out, frame.pixels, std::size_t(pixels) * sizeof(Count));
    float *row[3], *sorted[3]; // three rows of pixels, and the columns of three in order
    for (int j = 0; j < 3; ++j) {
        row[j] = scratch + j * stride + LANES;
        sorted[j] = scratch + (3 + j) * stride + LANES;
    }
    widen(s, frame.pixels, row[1]);
    widen(s, frame.pixels, row[2]);
    std::int64_t count = 0;
    for (int y = 0; y < s.rows; ++y) {
        float* oldest = row[0];
        row[0] = row[1];
        row[1] = row[2];
        row[2] = oldest;
        widen(s, frame.pixels + smaller(y + 1, s.rows - 1) * std::ptrdiff_t(s.columns), row[2]);
        for (int c = -LANES; c < s.columns + LANES; c += LANES) { // from a line before the first pixel on
            Line a = load(row[0] + c), b = load(row[1] + c), d = load(row[2] + c);
            order(a, b);
            order(b, d);
            order(a, b);
            store(sorted[0] + c, a);
            store(sorted[1] + c, b);
            store(sorted[2] + c, d);
        }
        for (int c = 0; c < s.columns; c += LANES) {
            const float *low = sorted[0] + c, *middle = sorted[1] + c, *high = sorted[2] + c;
            const Line m = middle_of(larger(larger(load(low - 1), load(low)), load(low + 1)),
                                     middle_of(load(middle - 1), load(middle), load(middle + 1)),
                                     smaller(smaller(load(high - 1), load(high)), load(high + 1)));
            const Integers far = load(row[1] + c) - m > s.least;
            int any = 0;
            for (int j = 0; j < LANES; ++j) any |= far[j];
            if (any == 0) continue;
            for (int j = 0; j < smaller(LANES, s.columns - c); ++j)
                if (far[j] && frame.stands_out(y, c + j, m[j], s.threshold) && frame.is_small(y, c + j, m[j]))
                    count += frame.mend(y, c + j, out);
        }
    }
    return count;
}

static void mend_spikes(const Spikes& s) {
#pragma omp parallel for schedule(dynamic) num_threads(s.threads)
    for (std::ptrdiff_t k = 0; k < s.angles; ++k) {
        float* scratch = s.scratch + thread_index() * s.scratch_lines * LANES;
        s.replaced[k] = s.is_float ? mend_frame<float>(s, k, scratch) : mend_frame<std::uint16_t>(s, k, scratch);
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
