// SPDX-License-Identifier: BSD-3-Clause
// Direct backprojection (Kak & Slaney 1988, eq. 3.34): every pixel of the disc sums its own sample of every
// filtered projection, interpolated linearly. A pixel's arithmetic and the order of its sum depend on nothing
// but the pixel, so a region equals the crop of the full image bit for bit.
#pragma once
#include "gridding.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int PATCH = 32; // a patch of PATCH x PATCH lines stays in the second-level cache

// Pixels x of image row y that lie in the inscribed disc, within [from, to).
static inline void disc_run(int size, int y, int from, int to, int& first, int& last) {
    const double middle = 0.5 * (size - 1), dy = y - middle, limit = 0.25 * double(size) * size - dy * dy;
    first = last = from;
    if (limit < 0) return;
    const double reach = __builtin_sqrt(limit);
    first = larger(from, int(__builtin_ceil(middle - reach)));
    last = larger(first, smaller(to, int(__builtin_floor(middle + reach)) + 1));
}

static void backproject(const Backprojection& b, int first_row) {
    const int rows = smaller(LANES, b.rows - first_row);
    const double middle = 0.5 * (b.size - 1);
    const std::ptrdiff_t stride = b.x1 - b.x0, slice = stride * (b.y1 - b.y0);
    const int across = (b.x1 - b.x0 + PATCH - 1) / PATCH, down = (b.y1 - b.y0 + PATCH - 1) / PATCH;
    Line* packed = reinterpret_cast<Line*>(b.packed);
#pragma omp parallel num_threads(b.threads)
    {
        Line patch[PATCH * PATCH];
#pragma omp for schedule(static)
        for (int k = 0; k < b.angles; ++k)
            pack(b.filtered + k * b.angle_stride + first_row * b.row_stride, b.row_stride, rows, b.samples,
                 packed + k * std::ptrdiff_t(b.samples));
#pragma omp for schedule(dynamic, 4)
        for (int piece = 0; piece < across * down; ++piece) {
            const int top = b.y0 + piece / across * PATCH, left = b.x0 + piece % across * PATCH;
            const int bottom = smaller(top + PATCH, b.y1), right = smaller(left + PATCH, b.x1);
            __builtin_memset(patch, 0, sizeof patch);
            for (int k = 0; k < b.angles; ++k) {
                const Line* q = packed + k * std::ptrdiff_t(b.samples);
                const double cosine = b.cosine[k];
                for (int y = top; y < bottom; ++y) {
                    int first, last, index[PATCH];
                    float fraction[PATCH];
                    disc_run(b.size, y, left, right, first, last);
                    const double base = b.axis[k] + (y - middle) * b.sine[k] - middle * cosine;
                    for (int x = first; x < last; ++x) {
                        const double position = base + x * cosine;
                        index[x - first] = int(position);
                        fraction[x - first] = float(position - int(position));
                    }
                    Line* to = patch + (y - top) * PATCH + (first - left);
                    for (int n = 0; n < last - first; ++n) {
                        const Part* here = reinterpret_cast<const Part*>(q + index[n]);
                        Part* sum = reinterpret_cast<Part*>(to + n);
                        for (int p = 0; p < PARTS; ++p)
                            sum[p] += here[p] + fraction[n] * (here[PARTS + p] - here[p]);
                    }
                }
            }
            for (int y = top; y < bottom; ++y) {
                int first, last;
                disc_run(b.size, y, left, right, first, last);
                float* to = b.out + first_row * slice + (y - b.y0) * stride - b.x0;
                for (int x = first; x < last; ++x)
                    for (int z = 0; z < rows; ++z) to[z * slice + x] += patch[(y - top) * PATCH + x - left][z];
            }
        }
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
