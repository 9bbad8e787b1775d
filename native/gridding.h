// SPDX-License-Identifier: BSD-3-Clause
// Filtered backprojection of 16 detector rows, or of 4, by gridding in Fourier space.
//
// The backprojection f(x, y) = sum_theta w_theta integral Q_theta(k) exp(2 pi i k (x cos + y sin)) dk is a sum of
// plane waves on a polar grid (central slice theorem). Each polar sample is spread over taps x taps cells of a
// Cartesian grid by a Kaiser-Bessel kernel, the grid is Fourier transformed, and the result is divided by the
// kernel's own transform (O'Sullivan 1985, doi 10.1109/TMI.1985.4307723; Beatty 2005, doi
// 10.1109/TMI.2005.848376). Two slices are the real and imaginary part of one complex series; eight such series
// are one Line.
//
// The grid is made in strips, each some of the image's columns wide (frequencies along x) and as long as the grid. A
// strip gathers every sample whose footprint touches it in a buffer, is transformed along y at once and leaves only the
// wanted rows of the image: no atomics, no second pass over the grid, and a sum whose order does not depend on the
// number of threads. The second transform runs along x, so that its results are written as whole rows of the image.
#pragma once
#include "fft.h"
#ifdef _OPENMP
#include <omp.h>
#endif

namespace tomarium::TOMARIUM_LEVEL {

constexpr int STRIP = 32;  // frequencies along x in a strip, the rows of its buffer
constexpr int TILE = 256;  // frequencies along y swept angle by angle; a tile fits a second-level cache of 1 MB
constexpr int RUN = 64;    // samples whose weights are computed ahead
constexpr int VIEWS_AHEAD = 2; // projections whose samples are fetched ahead
constexpr int GATHER = 4;  // image rows transformed together
constexpr int MARGIN = TAPS + 1;  // cells at either end of a strip
constexpr std::ptrdiff_t CACHED_LINES = 1 << 16; // a larger plane is written past the caches
#ifdef __AVX__
constexpr bool PAIRED = true; // whether samples are spread by twos
#else
constexpr bool PAIRED = false; // a part of four numbers is no more work than its weights
#endif
constexpr double TWO_PI = 6.28318530717958647692;

static inline int thread_index() {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

// Of one or two rows half a line is kept between the stages: clearing new memory takes longer than all of the arithmetic.
struct Pair {
    float numbers[2];
};
static inline Part part_of(const Line* from, int p) { return reinterpret_cast<const Part*>(from)[p]; }
static inline Part part_of(const Pair* from, int) {
    Part whole{};
    __builtin_memcpy(&whole, from, sizeof(Pair));
    return whole;
}
static inline void put_part(Line* to, int p, Part value) { reinterpret_cast<Part*>(to)[p] = value; }
static inline void put_part(Pair* to, int, Part value) { __builtin_memcpy(to, &value, sizeof(Pair)); }
static inline void put_past(Line* to, const Line* value, bool past) { store_past(reinterpret_cast<float*>(to), *value, past); }
static inline void put_past(Pair* to, const Line* value, bool) { __builtin_memcpy(to, value, sizeof(Pair)); }
static inline void take(Line* to, const Line* from) {
    for (int p = 0; p < PARTS; ++p) put_part(to, p, part_of(from, p));
}
static inline void take(Line* to, const Pair* from) {
    *to = Line{};
    __builtin_memcpy(to, from, sizeof(Pair));
}

static inline std::ptrdiff_t strip_stride(const Gridding& g) { return g.image_plan.length + 2 * MARGIN + TAPS; }

static std::ptrdiff_t gridding_scratch_lines(const Gridding& g) {
    const std::ptrdiff_t filter = 2 * std::ptrdiff_t(g.padded) + (g.far ? g.blocks + 2 * g.far_plan.length : 0);
    const std::ptrdiff_t strip = (STRIP + 2 * TAPS) * strip_stride(g) + g.image_plan.length;
    const std::ptrdiff_t rows = (GATHER + 1) * std::ptrdiff_t(g.image_plan.length);
    return larger(filter, larger(strip, rows)) + 4; // thread's areas apart
}

// Puts rows first_row ... of one projection side by side; returns a line of zeros, or NaN where an input was.
static Line pack(const float* first, std::ptrdiff_t row_stride, int rows, int columns, Line* to) {
    constexpr int SUMS = 4; // side by side, for each waits for its last
    Part check[SUMS * PARTS] = {};
    for (int u = 0; u < columns; u += LANES) {
        Line block[LANES];
        const int width = smaller(LANES, columns - u);
        for (int z = 0; z < LANES; ++z) {
            const float* from = first + z * row_stride + u;
            const bool whole = z < rows && width == LANES;
            for (int p = 0; p < PARTS; ++p) put_part(block + z, p, whole ? load_part(from + p * PART) : Part{});
            if (z < rows && !whole) __builtin_memcpy(&block[z], from, sizeof(float) * width);
        }
        transpose(block);
        for (int j = 0; j < width; ++j)
            for (int p = 0; p < PARTS; ++p) {
                const Part value = part_of(block + j, p);
                put_part(to + u + j, p, value);
                check[j % SUMS * PARTS + p] += value * 0.0f;
            }
    }
    Line sum{};
    for (int k = 0; k < SUMS * PARTS; ++k) reinterpret_cast<Part*>(&sum)[k % PARTS] += check[k];
    return sum;
}

// The transform of what the filter's period lacks: far blocks of a projection, whose kernel is smooth, times a matrix.
static const Line* far_part(const Gridding& g, const Line* projection, Line* spare) {
    const int coarse = g.far_plan.length;
    Part *sums = reinterpret_cast<Part*>(spare), *to = sums + PARTS * g.blocks;
    const Part* from = reinterpret_cast<const Part*>(projection);
    for (int k = 0; k < g.blocks; ++k)
        for (int p = 0; p < PARTS; ++p) {
            Part sum{};
            for (int u = k * g.block; u < smaller((k + 1) * g.block, g.columns); ++u) sum += from[PARTS * u + p];
            sums[PARTS * k + p] = sum;
        }
    // Some at a time, for each sum by itself waits for its last product; beyond its own range a row holds zeros.
    constexpr int SOME = 4;
    for (int i = 0; i < coarse; i += SOME) {
        const int count = smaller(SOME, coarse - i);
        int begin = g.blocks, end = 0;
        const float* factor[SOME];
        for (int r = 0; r < SOME; ++r) {
            const int row = i + smaller(r, count - 1);
            factor[r] = g.far + std::ptrdiff_t(row) * g.blocks;
            if (g.far_from[row] == g.far_to[row]) continue;
            begin = smaller(begin, int(g.far_from[row]));
            end = larger(end, int(g.far_to[row]));
        }
        for (int p = 0; p < PARTS; ++p) {
            Part sum[SOME] = {};
            for (int k = begin; k < end; ++k)
                for (int r = 0; r < SOME; ++r) sum[r] += sums[PARTS * k + p] * factor[r][k];
            for (int r = 0; r < count; ++r) to[PARTS * (i + r) + p] = sum[r];
        }
    }
    Line* values = spare + g.blocks;
    return fft<-1>(g.far_plan, values, values + coarse);
}

static void add_far_part(const Gridding& g, const Line* coarse, Line* spectrum) {
    const int length = g.far_plan.length;
    for (int k = 0; k <= length / 2; ++k) {
        const Part re = part(g.far_spectrum[2 * k]);
        for (int side = 0; side <= (k > 0); ++side) {
            const Part im = alternate(side ? -g.far_spectrum[2 * k + 1] : g.far_spectrum[2 * k + 1]);
            const Part* from = reinterpret_cast<const Part*>(coarse + (side ? length - k : k));
            Part* to = reinterpret_cast<Part*>(spectrum + (side ? g.padded - k : k));
            for (int p = 0; p < PARTS; ++p) to[p] += times(from[p], re, im);
        }
    }
}

// Moves the axis of each row by its own way. Two rows a and b are the real and imaginary part of Z = A + iB, and the
// transform of a real row at -f is the conjugate of that at f: with the phases p of a and q of b,
// pA(f) + iqB(f) = u Z(f) + v Z*(-f), where u = (p + q) / 2 and v = (p - q) / 2. A frequency's lines are the real and
// imaginary parts of u and v, the latter alternating in sign as `times` wants them.
static void turn_rows(const Gridding& g, Line* spectrum, Line& lowest) {
    const int n = g.padded;
    const Part conjugate = alternate(-1.0f); // (1, -1, ...)
    for (int f = 0; f <= n / 2; ++f) {
        const Part* turn = reinterpret_cast<const Part*>(g.turns) + PARTS * 4 * std::ptrdiff_t(f);
        Part *here = reinterpret_cast<Part*>(spectrum + f);
        Part *there = reinterpret_cast<Part*>(f == n / 2 ? &lowest : spectrum + (f == 0 ? 0 : n - f));
        for (int p = 0; p < PARTS; ++p) {
            const Part a = here[p], b = there[p];
            const Part u = turn[p], iu = turn[PARTS + p], v = turn[2 * PARTS + p], iv = turn[3 * PARTS + p];
            there[p] = times(b, u, -iu) + times(a * conjugate, v, -iv);
            here[p] = times(a, u, iu) + times(b * conjugate, v, iv);
        }
    }
}

// One projection: pad, ramp, move the origin to the axis, weigh; leaves frequencies -padded/2 ... padded/2.
template <class Kept>
static bool filter_projection(const Gridding& g, int k, int first_row, Line* a, Line* b, Kept* out) {
    const int n = g.padded, half = n / 2, rows = smaller(LANES, g.rows - first_row);
    const float* from = g.sinogram + g.order[k] * g.angle_stride + first_row * g.row_stride;
    const Line check = pack(from, g.row_stride, rows, g.columns, a);
    const int middle = g.columns + (n - g.columns) / 2;
    const Line* coarse = g.far ? far_part(g, a, b + n) : nullptr;
    const Line left = g.extend_edges ? a[0] : Line{}, right = g.extend_edges ? a[g.columns - 1] : Line{};
    for (int u = g.columns; u < n; ++u) a[u] = u < middle ? right : left;
    Line* spectrum = fft<-1>(g.filter_plan, a, b);
    if (coarse) add_far_part(g, coarse, spectrum);
    Line lowest = spectrum[half]; // of -half, which is the same sample until rows are turned by themselves
    if (g.turns) turn_rows(g, spectrum, lowest);

    // An image of even size has its pixels half-way between the integers of the transform.
    const double shift = g.axis[k] + (g.size % 2 ? 0.0 : 0.5 * (g.cosine[k] + g.sine[k]));
    const double step = TWO_PI * shift / n;
    constexpr int FINE = 64;
    float fine_re[FINE], fine_im[FINE];
    double re = 1, im = 0;
    const double step_re = __builtin_cos(step), step_im = __builtin_sin(step);
    for (int j = 0; j < FINE; ++j) {
        fine_re[j] = float(re);
        fine_im[j] = float(im);
        const double next = re * step_re - im * step_im;
        im = re * step_im + im * step_re;
        re = next;
    }
    const float weight = float(g.weight[k] / n) * g.scale;
    const bool past = std::ptrdiff_t(g.angles) * n > CACHED_LINES;
    for (int start = -half; start <= half; start += FINE) {
        const double angle = step * start;
        const float coarse_re = float(__builtin_cos(angle)), coarse_im = float(__builtin_sin(angle));
        const int count = smaller(FINE, half + 1 - start);
        float re_of[FINE], im_of[FINE];
        for (int j = 0; j < count; ++j) {
            const int f = start + j;
            // Both ends are the one Nyquist frequency: each takes half.
            const float size = g.response[f < 0 ? -f : f] * (f == half || f == -half ? 0.5f * weight : weight);
            re_of[j] = size * (coarse_re * fine_re[j] - coarse_im * fine_im[j]);
            im_of[j] = size * (coarse_re * fine_im[j] + coarse_im * fine_re[j]);
        }
        for (int j = 0; j < count; ++j) {
            const int f = start + j;
            const Part* from_parts = reinterpret_cast<const Part*>(f == -half ? &lowest : spectrum + (f < 0 ? f + n : f));
            const Part re_part = part(re_of[j]), im_part = alternate(im_of[j]);
            Line turned;
            for (int p = 0; p < PARTS; ++p) reinterpret_cast<Part*>(&turned)[p] = times(from_parts[p], re_part, im_part);
            put_past(out + f + half, &turned, past);
        }
    }
    bool finite = true;
    for (int z = 0; z < LANES; ++z) finite = finite && check[z] == 0.0f;
    return finite;
}

// Frequencies whose coordinate along one axis lies in [from, to): neighbouring intervals share no sample.
static inline void owned(double from, double to, double step, int half, int& first, int& last) {
    const double limit = half + 1;
    double lo, hi;
    if (step > 0) {
        lo = __builtin_ceil(from / step);
        hi = __builtin_ceil(to / step);
    } else if (step < 0) {
        lo = __builtin_floor(to / step) + 1;
        hi = __builtin_floor(from / step) + 1;
    } else {
        lo = from <= 0 && 0 < to ? -limit : limit;
        hi = limit;
    }
    first = int(larger(-double(half), smaller(lo, limit)));
    last = int(larger(-double(half), smaller(hi, limit)));
}

constexpr int CELL_BITS = 32;

static inline std::int64_t in_parts(double cells) { return std::int64_t(cells * 4294967296.0); }

// How far the middle of its cell lies behind a place, in halves of a cell.
static inline float beyond_middle(std::int64_t place) {
    return float(std::int32_t(std::uint32_t(place) ^ 0x80000000u)) * -4.656612873077393e-10f; // 2^-31
}

// The weights of a sample along x and along y, as wide as a register: a compiler writes a vector of two to memory.
#if defined(__AVX512F__)
constexpr int WEIGHTS = 2 * TAP_SLOTS;
#elif defined(__AVX__)
constexpr int WEIGHTS = TAP_SLOTS;
#else
constexpr int WEIGHTS = TAP_SLOTS / 2;
#endif
typedef float Weights __attribute__((vector_size(4 * WEIGHTS), aligned(4 * WEIGHTS), may_alias));

// A place along x and one along y beside each of their weights; of part i.
static inline Weights place_of(float x, float y, int i) {
#ifdef __AVX512F__
    return Weights{x, x, x, x, x, x, x, x, y, y, y, y, y, y, y, y};
#else
    return Weights{} + (i * WEIGHTS < TAP_SLOTS ? x : y);
#endif
}

struct Spreader {
    alignas(8 * TAP_SLOTS) float coefficient[16][2 * TAP_SLOTS];
    int degree;
};

// Spreads two samples, the second one's footprint DX columns and DY rows after the first one's: a cell that both cover is
// loaded and stored once. Not inlined, for compilers work out what the shapes have in common, and spill it.
template <int DX, int DY, class Kept>
[[gnu::noinline]] static void spread_pair(const Kept* sample, const float (*weight)[2 * TAP_SLOTS], Part* cell,
                                          std::ptrdiff_t stride) {
    constexpr int x = DX < 0 ? -DX : 0, y = DY < 0 ? -DY : 0, next_x = x + DX, next_y = y + DY; // of either's first cell
    const float *down = weight[0] + TAP_SLOTS, *next_down = weight[1] + TAP_SLOTS;
    cell -= PARTS * (y * stride + x);
    for (int p = 0; p < PARTS; ++p, ++cell) {
        const Part value = part_of(sample, p), other = part_of(sample + 1, p);
        Part across[TAPS], next_across[TAPS];
        for (int i = 0; i < TAPS; ++i) {
            across[i] = value * weight[0][i];
            next_across[i] = other * weight[1][i];
        }
        Part* row = cell;
#pragma GCC unroll 8
        for (int j = 0; j < TAPS + y + next_y; ++j, row += PARTS * stride) {
            const bool first = j >= y && j < y + TAPS, second = j >= next_y && j < next_y + TAPS;
            const Part factor = part(first ? down[j - y] : 0.0f), next_factor = part(second ? next_down[j - next_y] : 0.0f);
#pragma GCC unroll 8
            for (int i = 0; i < TAPS + x + next_x; ++i) {
                Part sum = row[PARTS * i];
                if (first && i >= x && i < x + TAPS) sum += across[i - x] * factor;
                if (second && i >= next_x && i < next_x + TAPS) sum += next_across[i - next_x] * next_factor;
                row[PARTS * i] = sum;
            }
        }
    }
}

template <int DY, class Kept>
static inline void spread_pair(int step_x, const Kept* sample, const float (*weight)[2 * TAP_SLOTS], Part* cell,
                               std::ptrdiff_t stride) {
    if (step_x == 0) spread_pair<0, DY>(sample, weight, cell, stride);
    else if (step_x > 0) spread_pair<1, DY>(sample, weight, cell, stride);
    else spread_pair<-1, DY>(sample, weight, cell, stride);
}

// Spreads `count` samples of one projection, RUN at most; (x, y) is the first one's corner in `corner`, in parts of a
// cell: errors of float32, 1e-5 of a cell, would let one slice of a pair leak into the other. Two samples at
// a time, where none lies further than a cell from the one before. `next` samples on lies what is wanted soon.
template <class Kept>
static inline void spread_run(const Spreader& s, const Kept* sample, int count, std::int64_t x, std::int64_t y,
                              std::int64_t dx, std::int64_t dy, bool close, Line* corner, std::ptrdiff_t stride,
                              std::ptrdiff_t next) {
    alignas(64) float weight[RUN][2 * TAP_SLOTS], zx[RUN], zy[RUN];
    int cell_x[RUN], cell_y[RUN];
    // Some at a time, for each polynomial by itself waits for its last product.
    constexpr int SOME = 4, HALVES = 2 * TAP_SLOTS / WEIGHTS;
    static_assert(RUN % SOME == 0);
    for (int n = 0; n < (count + SOME - 1) / SOME * SOME; ++n) {
        const std::int64_t place_x = x + n * dx, place_y = y + n * dy;
        cell_x[n] = int(place_x >> CELL_BITS) + 1;
        cell_y[n] = int(place_y >> CELL_BITS) + 1;
        zx[n] = beyond_middle(place_x);
        zy[n] = beyond_middle(place_y);
    }
    for (int n = 0; n < count; n += SOME) {
        const Weights* factor = reinterpret_cast<const Weights*>(s.coefficient[0]);
        Weights z[SOME][HALVES], p[SOME][HALVES];
        for (int k = 0; k < SOME; ++k)
            for (int i = 0; i < HALVES; ++i) {
                z[k][i] = place_of(zx[n + k], zy[n + k], i);
                p[k][i] = factor[i];
            }
        for (int d = 1; d <= s.degree; ++d)
            for (int k = 0; k < SOME; ++k)
                for (int i = 0; i < HALVES; ++i) p[k][i] = p[k][i] * z[k][i] + factor[d * HALVES + i];
        for (int k = 0; k < SOME; ++k)
            for (int i = 0; i < HALVES; ++i) reinterpret_cast<Weights*>(weight[n + k])[i] = p[k][i];
    }
    int n = 0;
    for (; PAIRED && close && n + 1 < count; n += 2) {
        __builtin_prefetch(sample + n + next, 0, 2);
        __builtin_prefetch(sample + n + 1 + next, 0, 2);
        Part* cell = reinterpret_cast<Part*>(corner + cell_y[n] * stride + cell_x[n]);
        const int step_x = cell_x[n + 1] - cell_x[n], step_y = cell_y[n + 1] - cell_y[n];
        if (step_y == 0) spread_pair<0>(step_x, sample + n, weight + n, cell, stride);
        else if (step_y > 0) spread_pair<1>(step_x, sample + n, weight + n, cell, stride);
        else spread_pair<-1>(step_x, sample + n, weight + n, cell, stride);
    }
    for (; n < count; ++n) {
        __builtin_prefetch(sample + n + next, 0, 2);
        for (int p = 0; p < PARTS; ++p) {
            const Part value = part_of(sample + n, p);
            Part* cell = reinterpret_cast<Part*>(corner + cell_y[n] * stride + cell_x[n]) + p;
            Part across[TAPS];
            for (int i = 0; i < TAPS; ++i) across[i] = value * weight[n][i];
            for (int j = 0; j < TAPS; ++j, cell += PARTS * stride) {
                const Part down = part(weight[n][TAP_SLOTS + j]);
                for (int i = 0; i < TAPS; ++i) cell[PARTS * i] += across[i] * down;
            }
        }
    }
}

template <class Kept> static void spread_tile(const Gridding& g, const Spreader& s, int tile, double x_from, Line* buffer) {
    const int half = g.padded / 2, grid = g.image_plan.length;
    const double cells = double(grid) / g.padded; // grid cells between two frequencies
    const double y_from = double(tile) * TILE, y_to = y_from + TILE;
    const double x_low = x_from - 0.5 * TAPS, x_high = x_from + STRIP - 1 + 0.5 * TAPS;
    const double xc = 0.5 * (x_low + x_high), yc = 0.5 * (y_from + y_to);
    const double distance = __builtin_sqrt(xc * xc + yc * yc);
    const double width = x_high - x_low, height = y_to - y_from;
    const double radius = 0.5 * __builtin_sqrt(width * width + height * height) + 1;
    if (distance - radius > 0.5 * grid) return;

    // Directions under which the tile is seen from the origin, as up to two pieces of the sorted list.
    constexpr double PI = 0.5 * TWO_PI;
    double middle = __builtin_atan2(yc, xc);
    const double half_angle = distance > radius ? __builtin_asin(radius / distance) : PI;
    if (middle < 0) middle += PI;
    const bool everything = half_angle >= 0.5 * PI;
    Line* corner = buffer + tile * TILE + (tile < 0 ? grid : 0);
    const std::ptrdiff_t stride = strip_stride(g), samples = g.padded + 1;
    for (int piece = -1; piece <= 1; ++piece) {
        if (everything && piece != 0) continue;
        const double low = everything ? -1 : middle - half_angle + piece * PI;
        const double high = everything ? 4 : middle + half_angle + piece * PI;
        int begin = 0, end = g.angles;
        while (begin < end) {
            const int mid = (begin + end) / 2;
            if (g.direction[mid] < low) begin = mid + 1;
            else end = mid;
        }
        for (int k = begin; k < g.angles && g.direction[k] <= high; ++k) {
            const double dx = cells * g.cosine[k], dy = cells * g.sine[k];
            int first, last, first_x, last_x;
            owned(y_from, y_to, dy, half, first, last);
            owned(x_low, x_high + 1e-9, dx, half, first_x, last_x);
            first = larger(first, first_x);
            last = smaller(last, last_x);
            const Kept* sample = reinterpret_cast<const Kept*>(g.filtered) + k * samples + half;
            for (int f = first; f < last; f += RUN)
                spread_run(s, sample + f, smaller(RUN, last - f), in_parts(f * dy - y_from - 0.5 * TAPS + MARGIN),
                           in_parts(f * dx - x_from + 0.5 * TAPS), in_parts(dy), in_parts(dx), cells <= 1, corner,
                           stride, k + VIEWS_AHEAD < g.angles ? VIEWS_AHEAD * samples : 0);
        }
    }
}

template <class Kept> static void make_strip(const Gridding& g, const Spreader& s, int x_from, Line* buffer, Line* spare) {
    const int grid = g.image_plan.length, half_tiles = grid / 2 / TILE + 1;
    const std::ptrdiff_t stride = strip_stride(g);
    const bool past = std::ptrdiff_t(grid) * (g.y1 - g.y0) > CACHED_LINES;
    // Tiles in the order in which they lie in memory, negative frequencies last; cells are cleared shortly before.
    std::ptrdiff_t cleared = 0;
    for (int place = 0; place <= 2 * half_tiles; ++place) {
        const int tile = place <= half_tiles ? place : place - 2 * half_tiles - 1;
        const std::ptrdiff_t reached = (tile + 1) * TILE + (tile < 0 ? grid : 0) + 2 * MARGIN + TAPS;
        const std::ptrdiff_t end = place == 2 * half_tiles ? stride : larger(cleared, smaller(stride, reached));
        for (int r = 0; r < STRIP + 2 * TAPS; ++r)
            __builtin_memset(buffer + r * stride + cleared, 0, sizeof(Line) * (end - cleared));
        cleared = end;
        for (int turn = 0; turn <= 1; ++turn) // rows above grid / 2 hold the negative frequencies
            spread_tile<Kept>(g, s, tile, double(x_from) - turn * grid, buffer);
    }
    for (int r = 0; r < smaller(STRIP, grid - x_from); ++r) {
        Line* row = buffer + (TAPS + r) * stride + MARGIN;
        for (int j = 1; j <= MARGIN; ++j) row[grid - j] += row[-j];
        for (int j = 0; j < MARGIN; ++j) row[j] += row[grid + j];
        const Line* image = fft<1>(g.image_plan, row, spare);
        // Some rows of the image together, so that the next stage reads a stretch of memory from end to end.
        Kept* to = reinterpret_cast<Kept*>(g.plane) + (x_from + r) * std::ptrdiff_t(GATHER);
        for (int i = g.y0; i < g.y1; ++i) {
            const int m = i - g.size / 2, c = i - g.y0;
            put_past(to + c / GATHER * std::ptrdiff_t(grid) * GATHER + c % GATHER, image + (m < 0 ? m + grid : m), past);
        }
    }
}

// Columns first to last - 1 of a row of the image lie in the disc, if any.
static inline void disc_columns(const Gridding& g, int y, int& first, int& last) {
    const double middle = 0.5 * (g.size - 1), limit = 0.25 * double(g.size) * g.size, dy = y - middle;
    const auto inside = [&](int x) { return (x - middle) * (x - middle) + dy * dy <= limit; };
    first = int(middle - __builtin_sqrt(larger(0.0, limit - dy * dy))) - 1;
    while (first <= middle && !inside(first)) ++first;
    last = inside(first) ? g.size - first : first;
}

// Transforms some rows of the image along x and writes them.
template <class Kept> static void write_rows(const Gridding& g, int first_row, int y0, Line* scratch) {
    const int grid = g.image_plan.length, count = smaller(GATHER, g.y1 - y0), rows = smaller(LANES, g.rows - first_row);
    const std::ptrdiff_t row_stride = g.x1 - g.x0, slice_stride = row_stride * (g.y1 - g.y0);
    const bool past = g.past && row_stride % LANES == 0 && reinterpret_cast<std::uintptr_t>(g.out) % 64 == 0;
    Line* spare = scratch + GATHER * std::ptrdiff_t(grid);
    const Kept* from = reinterpret_cast<const Kept*>(g.plane) + (y0 - g.y0) * std::ptrdiff_t(grid);
    for (int r = 0; r < grid; ++r, from += GATHER)
        for (int j = 0; j < count; ++j) take(scratch + j * std::ptrdiff_t(grid) + r, from + j);
    for (int j = 0; j < count; ++j) {
        const Line* image = fft<1>(g.image_plan, scratch + j * std::ptrdiff_t(grid), spare);
        float* to = g.out + first_row * slice_stride + (y0 + j - g.y0) * row_stride;
        int first, last;
        disc_columns(g, y0 + j, first, last);
        for (int i = g.x0; i < g.x1; i += LANES, to += LANES) {
            const int width = smaller(LANES, g.x1 - i), m = i - g.size / 2;
            Line block[LANES], factor{};
            const bool inside = first < i + width && i < last;
            if (inside) {
                for (int c = larger(0, first - i); c < smaller(width, last - i); ++c)
                    factor[c] = g.correction[i + c] * g.correction[y0 + j];
                for (int c = 0; c < LANES; ++c) {
                    const int k = m + smaller(c, width - 1);
                    take(block + c, image + (k < 0 ? k + grid : k));
                }
                transpose(block);
            }
            const Part* factors = reinterpret_cast<const Part*>(&factor);
            for (int z = 0; z < rows; ++z) {
                Line value;
                for (int p = 0; p < PARTS; ++p) // no -0 outside the disc
                    put_part(&value, p, inside ? part_of(block + z, p) * factors[p] + 0.0f : Part{});
                if (width == LANES)
                    store_past(to + z * slice_stride, value, past);
                else
                    __builtin_memcpy(to + z * slice_stride, &value, sizeof(float) * width);
            }
        }
    }
}

template <class Kept> static std::int64_t reconstruct_kept(const Gridding& g, int first_row) {
    Line* scratch = reinterpret_cast<Line*>(g.scratch);
    const int grid = g.image_plan.length, strips = (grid + STRIP - 1) / STRIP;
    const int blocks = (g.y1 - g.y0 + GATHER - 1) / GATHER;
    std::int64_t broken = 0;
    Spreader s;
    s.degree = g.degree;
    for (int d = 0; d <= g.degree; ++d)
        for (int j = 0; j < 2 * TAP_SLOTS; ++j) s.coefficient[d][j] = g.polynomial[d * TAP_SLOTS + j % TAP_SLOTS];
#pragma omp parallel num_threads(g.threads) reduction(+ : broken)
    {
        Line* mine = scratch + thread_index() * g.scratch_lines;
#pragma omp for schedule(dynamic, 8)
        for (int k = 0; k < g.angles; ++k)
            broken += !filter_projection(g, k, first_row, mine, mine + g.padded,
                                         reinterpret_cast<Kept*>(g.filtered) + k * std::ptrdiff_t(g.padded + 1));
#pragma omp for schedule(dynamic, 1)
        for (int strip = 0; strip < strips; ++strip) {
            Line* spare = mine + (STRIP + 2 * TAPS) * strip_stride(g);
            make_strip<Kept>(g, s, strip * STRIP, mine, spare);
        }
#pragma omp for schedule(dynamic, 1)
        for (int block = 0; block < blocks; ++block) write_rows<Kept>(g, first_row, g.y0 + block * GATHER, mine);
        finish_stores();
    }
    return broken;
}

static std::int64_t reconstruct(const Gridding& g, int first_row) {
#ifdef TOMARIUM_FEW_ROWS
    if (g.rows - first_row <= PAIR_LANES) return reconstruct_kept<Pair>(g, first_row);
#endif
    return reconstruct_kept<Line>(g, first_row);
}

} // namespace tomarium::TOMARIUM_LEVEL
