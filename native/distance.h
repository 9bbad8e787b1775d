// SPDX-License-Identifier: BSD-3-Clause
// Exact Euclidean distance of each voxel of a body from the nearest voxel that is not in it, axis after axis.
// Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012) 415-428: along a line, the squared distance is the lower
// envelope of parabolas, one on each voxel of the line, as high above it as the axes before have found.
// Between the passes a voxel keeps not how far the nearest one is but where, so that no square is rounded.
#pragma once
#include "kernels.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int DISTANCE_COLUMNS = 32; // lines that are read side by side: two cache lines of each plane
constexpr std::uint32_t NOWHERE = 0x8000; // nothing outside the body was found within reach so far
constexpr double NONE_HERE = -1.0;

// Two offsets to the nearest voxel outside, along x and y, in the 32 bits that will be the distance.
static inline std::uint32_t offsets(std::ptrdiff_t dx, std::ptrdiff_t dy) {
    return std::uint32_t(std::uint16_t(dx)) | std::uint32_t(std::uint16_t(dy)) << 16;
}
static inline int offset_x(std::uint32_t both) { return std::int16_t(both & 0xffff); }
static inline int offset_y(std::uint32_t both) { return std::int16_t(both >> 16); }

// Scratch of one line: what is above each voxel, and the parabolas of the lower envelope.
struct DistanceLine {
    double *above, *lifted, *from, *by_distance;
    std::int32_t* site;
    std::uint32_t* columns;
};

static std::ptrdiff_t distance_scratch_bytes(const Distance& d) {
    const std::ptrdiff_t longest = d.rows > d.depth ? d.rows : d.depth;
    return longest * (4 * 8 + 4 + 4 * DISTANCE_COLUMNS);
}

static DistanceLine line_of(const Distance& d, double spacing) {
    const std::ptrdiff_t longest = d.rows > d.depth ? d.rows : d.depth;
    double* numbers = static_cast<double*>(d.scratch);
    DistanceLine line{numbers, numbers + longest, numbers + 2 * longest, numbers + 3 * longest, nullptr, nullptr};
    line.columns = reinterpret_cast<std::uint32_t*>(numbers + 4 * longest);
    line.site = reinterpret_cast<std::int32_t*>(line.columns + DISTANCE_COLUMNS * longest);
    for (std::ptrdiff_t k = 1; k < longest; ++k) line.by_distance[k] = 1 / (2 * spacing * spacing * double(k));
    return line;
}

// The lower envelope of the parabolas on voxels first .. last; returns how many there are. Two meet at
// (lifted[q] - lifted[p]) / (2 w² (q - p)), where lifted[q] = above[q] + w² q².
static inline std::ptrdiff_t envelope(const DistanceLine& line, std::ptrdiff_t first, std::ptrdiff_t last, double square) {
    std::ptrdiff_t count = 0;
    for (std::ptrdiff_t q = first; q <= last; ++q) {
        if (line.above[q] < 0) continue;
        const double lifted = line.above[q] + square * double(q) * double(q);
        double meet = -1e300;
        while (count > 0) {
            meet = (lifted - line.lifted[count - 1]) * line.by_distance[q - line.site[count - 1]];
            if (meet > line.from[count - 1]) break;
            --count;
        }
        line.site[count] = std::int32_t(q);
        line.lifted[count] = lifted;
        line.from[count] = count > 0 ? meet : -1e300;
        ++count;
    }
    return count;
}

// Calls found(k, site, square) for each voxel k of the body along a line of `length`, site being -1 where nothing is near.
// A voxel outside is nearer to all of its side than whatever is beyond it: each stretch of the body is done by itself.
template <class Found>
static inline void along_line(const DistanceLine& line, std::ptrdiff_t length, double square, double reach_square,
                              const Found& found) {
    std::ptrdiff_t k = 0;
    while (k < length) {
        if (line.above[k] == 0) {
            ++k;
            continue;
        }
        std::ptrdiff_t end = k + 1;
        while (end < length && line.above[end] != 0) ++end;
        const std::ptrdiff_t count = envelope(line, k > 0 ? k - 1 : 0, end < length ? end : length - 1, square);
        std::ptrdiff_t at = 0;
        for (; k < end; ++k) {
            if (count == 0) {
                found(k, std::ptrdiff_t(-1), 0.0);
                continue;
            }
            while (at + 1 < count && line.from[at + 1] < double(k)) ++at;
            const std::ptrdiff_t site = line.site[at];
            const double away = double(k - site), whole = line.above[site] + square * away * away;
            found(k, whole < reach_square ? site : std::ptrdiff_t(-1), whole);
        }
    }
}

// Along x: the nearest voxel outside on the left, then that on the right where it is nearer.
static inline void along_row(const std::uint8_t* body, std::uint32_t* out, std::ptrdiff_t columns, std::ptrdiff_t farthest) {
    std::ptrdiff_t outside = -farthest - 1;
    for (std::ptrdiff_t x = 0; x < columns; ++x) {
        if (!body[x]) outside = x;
        out[x] = x - outside <= farthest ? offsets(outside - x, 0) : NOWHERE;
    }
    outside = columns + farthest;
    for (std::ptrdiff_t x = columns - 1; x >= 0; --x) {
        if (!body[x]) outside = x;
        const std::ptrdiff_t right = outside - x;
        if (right <= farthest && (out[x] == NOWHERE || right < -offset_x(out[x]))) out[x] = offsets(right, 0);
    }
}

// Along x and y, planes first .. last - 1: `out` becomes offsets.
static void distance_planes(const Distance& d, std::ptrdiff_t first, std::ptrdiff_t last) {
    const DistanceLine line = line_of(d, d.spacing[1]);
    const double square = d.spacing[1] * d.spacing[1], square_x = d.spacing[2] * d.spacing[2];
    const double most = d.reach / d.spacing[2];
    const std::ptrdiff_t farthest = most < double(d.columns) ? std::ptrdiff_t(most) : d.columns;
    const double reach_square = d.reach * d.reach;
    for (std::ptrdiff_t z = first; z < last; ++z) {
        const std::uint8_t* body = d.body + z * d.rows * d.columns;
        std::uint32_t* plane = reinterpret_cast<std::uint32_t*>(d.out) + z * d.rows * d.columns;
        for (std::ptrdiff_t y = 0; y < d.rows; ++y)
            along_row(body + y * d.columns, plane + y * d.columns, d.columns, farthest);
        for (std::ptrdiff_t from = 0; from < d.columns; from += DISTANCE_COLUMNS) {
            const std::ptrdiff_t width = d.columns - from < DISTANCE_COLUMNS ? d.columns - from : DISTANCE_COLUMNS;
            for (std::ptrdiff_t y = 0; y < d.rows; ++y)
                for (std::ptrdiff_t x = 0; x < width; ++x) line.columns[y * DISTANCE_COLUMNS + x] = plane[y * d.columns + from + x];
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                const std::uint32_t* column = line.columns + x;
                for (std::ptrdiff_t y = 0; y < d.rows; ++y) {
                    const std::uint32_t here = column[y * DISTANCE_COLUMNS];
                    const double dx = double(offset_x(here));
                    line.above[y] = here == NOWHERE ? NONE_HERE : dx * dx * square_x;
                }
                std::uint32_t* to = plane + from + x;
                along_line(line, d.rows, square, reach_square, [&](std::ptrdiff_t y, std::ptrdiff_t site, double) {
                    to[y * d.columns] =
                        site < 0 ? NOWHERE : offsets(offset_x(column[site * DISTANCE_COLUMNS]), site - y);
                });
            }
        }
    }
}

// Along z, rows first .. last - 1 of all planes: offsets become distances.
static void distance_rows(const Distance& d, std::ptrdiff_t first, std::ptrdiff_t last) {
    const DistanceLine line = line_of(d, d.spacing[0]);
    const double square = d.spacing[0] * d.spacing[0], reach_square = d.reach * d.reach;
    const double square_y = d.spacing[1] * d.spacing[1], square_x = d.spacing[2] * d.spacing[2];
    const std::ptrdiff_t plane = d.rows * d.columns;
    for (std::ptrdiff_t y = first; y < last; ++y)
        for (std::ptrdiff_t from = 0; from < d.columns; from += DISTANCE_COLUMNS) {
            const std::ptrdiff_t width = d.columns - from < DISTANCE_COLUMNS ? d.columns - from : DISTANCE_COLUMNS;
            float* out = d.out + y * d.columns + from;
            for (std::ptrdiff_t z = 0; z < d.depth; ++z) {
                const std::uint32_t* row = reinterpret_cast<const std::uint32_t*>(out + z * plane);
                for (std::ptrdiff_t x = 0; x < width; ++x) line.columns[z * DISTANCE_COLUMNS + x] = row[x];
            }
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                const std::uint32_t* column = line.columns + x;
                float* to = out + x;
                for (std::ptrdiff_t z = 0; z < d.depth; ++z) {
                    const std::uint32_t here = column[z * DISTANCE_COLUMNS];
                    const double dx = double(offset_x(here)), dy = double(offset_y(here));
                    line.above[z] = here == NOWHERE ? NONE_HERE : dx * dx * square_x + dy * dy * square_y;
                    if (here == 0) to[z * plane] = 0;
                }
                along_line(line, d.depth, square, reach_square, [&](std::ptrdiff_t z, std::ptrdiff_t site, double whole) {
                    float& value = to[z * plane];
                    if (site < 0) {
                        value = float(d.squared ? reach_square : d.reach);
                        return;
                    }
                    value = float(d.squared ? whole : __builtin_sqrt(whole));
                    if (d.less) {
                        const std::uint32_t there = column[site * DISTANCE_COLUMNS];
                        value -= d.less[site * plane + (y + offset_y(there)) * d.columns + from + x + offset_x(there)];
                    }
                });
            }
        }
}

} // namespace tomarium::TOMARIUM_LEVEL
