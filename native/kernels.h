// SPDX-License-Identifier: BSD-3-Clause
// What the instruction-set levels of one processor family offer to module.cpp: plain data and function
// pointers, so that the same sources can be compiled several times and chosen at run time.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tomarium {

constexpr int LANES = 16;   // detector rows that travel together, innermost: one 64-byte cache line
constexpr int FEW_LANES = 4; // the same where no more rows are asked for; see few_rows.cpp
constexpr int PAIR_LANES = 2; // as many of those are kept between the stages where no more rows are left
constexpr int TAPS = 6;     // grid cells along an edge of a sample's footprint
constexpr int TAP_SLOTS = 8; // floats that hold the weights of one footprint edge

// A complex Fourier transform of LANES / 2 interleaved series; built by fft_plan.cpp.
struct FftPlan {
    int length;
    int passes;
    int radix[32];
    const float* twiddle[32]; // for each pass (length/stride/radix) x (radix - 1) x (re, re, -im, im), sign +
};

// One call of tile gridding; see gridding.h for the meaning in full.
struct Gridding {
    const float* sinogram; // (angle, row, column), columns contiguous
    std::ptrdiff_t angle_stride, row_stride;
    int angles, rows, columns;
    const int* order;                          // (angle,) indices sorted by direction
    const double *direction, *cosine, *sine;   // (angle,) sorted; direction in [0, pi)
    const double* weight;                      // (angle,) sorted; angular weight in radians
    const double* axis;                        // (angle,) sorted; column of the rotation axis in each
    const float* response; // (padded / 2 + 1,) ramp filter with its window
    int padded;            // its period
    bool extend_edges;
    // What that period lacks, see kernels/backprojection/short_period.py; nothing where far is null.
    const float* far;                      // (padded / block, blocks)
    const std::int32_t *far_from, *far_to; // (padded / block,) blocks for which it is not zero
    const float* far_spectrum;             // (padded / block / 2 + 1, 2) factors of its transform, real and imaginary
    int block, blocks;                     // columns of a block, and how many there are
    FftPlan far_plan;
    // Rows whose axes lie elsewhere, see turn_rows; null where they do not.
    const float* turns; // (padded / 2 + 1, 4) lines
    int size, y0, y1, x0, x1; // full image and the part of it that is asked for
    FftPlan filter_plan, image_plan;
    int degree;
    const float* polynomial; // (degree + 1, 8): tap j of the gridding kernel, highest power first
    const float* correction; // (size,) one over the kernel's transform
    float scale;
    float* out; // (row, y1 - y0, x1 - x0)
    bool past;  // whether out is too large to stay in the caches
    float* filtered;   // (angle, padded + 1) lines
    float* plane;      // (block of image rows, frequency along x, row of the block) lines
    float* scratch;    // (thread, scratch_lines) lines
    std::ptrdiff_t scratch_lines;
    int threads;
};

// One block of projections of direct backprojection; see direct.h.
struct Backprojection {
    const float* filtered; // (angle, row, sample), samples contiguous, angular weight included
    std::ptrdiff_t angle_stride, row_stride;
    int angles, rows, samples;
    const double *cosine, *sine; // (angle,) times the samples per pixel
    const double* axis;          // (angle,) in samples
    int size, y0, y1, x0, x1;
    float* out;    // (row, y1 - y0, x1 - x0), added to
    float* packed; // (angle, samples) lines
    int threads;
};

struct FlatField {
    const void* counts; // (angle, row, column)
    bool is_float;      // float32, else uint16
    std::ptrdiff_t angles, pixels;
    const float* dark;   // (pixel,)
    const float* bright; // (group, pixel): flat field less dark
    const int* lower;      // (angle,) reference group before the projection
    const float* fraction; // (angle,) how far it lies towards the next group
    float lowest_counts, lowest_transmission;
    bool logarithm;
    float* out;                   // (angle, pixel); a value that must be replaced is NaN
    bool past;                    // whether out is too large to stay in the caches
    std::int64_t *clipped, *dead, *not_finite; // (angle,)
    int threads;
};

// Sinograms whose stripes are removed by sorting; see sorting.h.
struct Sorting {
    const float* data; // (angle, row, column), columns contiguous
    std::ptrdiff_t angle_stride, row_stride;
    int angles, rows, columns;
    int size; // columns of the median, odd
    float strength;
    float* out;     // (angle, row, column)
    // Where this is not 0, the one sinogram and `out` lie in groups of 16 columns, (group, angle, LANES), and `out` is
    // what was removed: numbers from group to group.
    std::ptrdiff_t group_stride;
    int blocks, more_blocks; // of angles, in which what was removed is averaged
    double *block_means, *more_block_means; // (block, column) and (more block, column)
    // Means over the ranks kept_from ... kept_to - 1 of each column, before and after the median; or null.
    double* means; // (2, row, column)
    int kept_from, kept_to;
    float* scratch; // (thread, scratch_lines) lines
    std::ptrdiff_t scratch_lines;
    int threads;
};

// Figures of the columns of a sinogram; see column_figures.h.
struct ColumnFigures {
    const float* data; // (angle, column)
    std::ptrdiff_t stride, group_stride; // from angle to angle, and from 16 columns to the next
    int angles, columns;
    float* medians; // (column,)
    float* scratch; // (difference_scratch_lines,) lines
    int blocks, more_blocks; // of angles; or 0
    double *means, *more_means; // (block, column) and (more block, column)
    float least, largest; // of all, where `blocks` are asked for
    bool finite;
};

// Medians in a window that moves along rows that are mirrored at their ends; see column_figures.h.
struct RunningMedians {
    const double* values; // (row, column)
    int rows, columns, size; // odd
    double* out; // (row, column)
    double* scratch; // (2 * size - 1 + columns,)
};

// A sinogram in groups of 16 columns, and stripes that are taken from it; see column_groups.h.
struct ColumnGroups {
    float* data; // (angle, column)
    std::ptrdiff_t stride; // from angle to angle
    int angles, columns;
    float* groups; // (group, angle, LANES)
    const float *removed, *share, *constant; // (group, angle, LANES), (column,) and (column,)
    bool past; // whether `data` is too large to stay in the caches
};

// Frames whose spikes are replaced; see spikes.h.
struct Spikes {
    const void* frames; // (angle, row, column)
    const void* more;   // (frame, row, column) further ones, which are only looked at
    const std::int32_t* beside; // (angle, 2) numbers of frames near each, further ones after the frames; -1 for none
    bool is_float;      // float32, else uint16
    const float *dark, *relative; // (row, column): a signal is (count - dark) * relative
    std::ptrdiff_t angles;
    int rows, columns;
    const double *brightness, *sigma, *in_time; // (level,) noise at each brightness, ascending, and from frame to frame
    int levels;
    double threshold; // deviations
    float least;     // excess below which nothing is looked at twice
    void* out;       // as the frames
    std::int64_t* replaced; // (angle,)
    float* scratch;         // (thread, scratch_lines) lines
    std::ptrdiff_t scratch_lines;
    int threads;
};

// Values that become whole numbers; see quantise.h.
struct Quantising {
    const void* values; // (count,)
    bool is_double;     // float64, else float32
    std::ptrdiff_t count;
    double low, scale, most; // a number is (value - low) * scale, at least 0 and at most `most`
    void* out;               // (count,)
    int bytes;               // of a number: 1 or 2
    bool past;               // whether out is too large to stay in the caches
    std::int64_t* counts;    // (3,) below `low`, above `high`, not finite; added to; or null
    double high;
    int threads;
};

constexpr int SHADOW_NUMBERS = 9;

// Ellipsoids seen from one side; see shadows.h. A chord's length times the attenuation is, squared,
// peak - by_row dz² + both dz du - by_column du².
struct Shadows {
    const double* table; // (ellipsoid, 9): z, u, half height, half width, peak, by_row, both, by_column, sign
    std::ptrdiff_t ellipsoids;
    const double *z, *u; // (row,) and (column,), ascending
    int rows, columns;
    float* out; // (row, column), added to
};

constexpr int SHIFT_LANES = 32;  // shifts along x that are counted at once
constexpr int CODE_CLASSES = 3;  // classes of either image
constexpr int CODE_BITS = 5;     // of a code's field for one class

// Classes of points over classes of a volume, at all shifts; see shift_search.h.
struct ShiftSearch {
    const std::uint16_t* field; // (z, field_rows, field_columns): 1 << (CODE_BITS class), 0 where there is nothing
    std::ptrdiff_t field_rows, field_columns;
    const std::int32_t* offsets; // (point,) places in the field at no shift, class after class
    const std::int64_t* ends;    // (CODE_CLASSES + 1,) first point of each class
    const float* n_log_n;        // (points + 1,)
    std::int32_t least;          // points inside below which a score is 0
    std::ptrdiff_t depth, rows, columns; // shifts
    float* out;                  // (depth, rows, columns): mutual information times the points inside, nats
};

constexpr int HISTOGRAM_BINS = 2048; // most bins of a histogram

// Columns first to last - 1 of each row of an image.
struct ImagePart {
    const void* data;
    int bytes; // of a value: 4 of float32, else of an unsigned whole number
    std::ptrdiff_t rows, columns;
    const std::int32_t *first, *last; // (row,)
};

struct Moments {
    std::int64_t count, not_finite;
    float minimum, maximum; // infinity and minus infinity to begin with
    double sum, sum_squares;
};

// A block (2 depth, 2 rows, 2 columns) and its halves (depth, rows, columns).
struct Halving {
    const void* block;
    void* out;
    int bytes; // of a voxel: 4 of float32, else of an unsigned whole number
    std::ptrdiff_t rows, columns;
};

constexpr std::ptrdiff_t LONGEST_DISTANCE_AXIS = 32766; // voxels; an offset fits in 16 bits

// How far each voxel of a body is from the nearest one outside; see distance.h.
struct Distance {
    const std::uint8_t* body; // (z, y, x), 0 outside
    std::ptrdiff_t depth, rows, columns;
    double spacing[3]; // of voxels (z, y, x)
    double reach;      // distance that is enough, or infinity
    const float* less; // (z, y, x) taken off by the place of the nearest voxel outside; or null
    bool squared;      // whether `out` is the square
    float* out;        // (z, y, x)
    void* scratch;     // (distance_scratch_bytes,)
};

// Of a smoothed volume: gradient and curvatures of its planes first to last - 1; see neighbourhood.h.
struct Neighbourhood {
    const float* values; // (z, y, x)
    std::ptrdiff_t depth, rows, columns, first, last;
    double factor;         // of the second derivatives
    float* out;            // (last - first, y, x, stride), of which the first four of each voxel are filled
    std::ptrdiff_t stride; // numbers of `out` from one voxel to the next
};

// Symmetric 3 x 3 tensors, and where their eigenvalues go.
struct Tensors {
    const float* entries; // (6, tensor): zz, zy, zx, yy, yx, xx
    std::ptrdiff_t count;
    float* out; // (tensor, stride), of which the first three of each are filled
    std::ptrdiff_t stride;
};

struct TreeNode {
    float threshold;      // infinite on a leaf
    std::int32_t feature; // the one that is compared
    std::int32_t lower;   // node where it is not above the threshold, the next one where it is; itself on a leaf
};

// Decision trees, and what they say of voxels.
struct Trees {
    const TreeNode* nodes;
    const std::int32_t* roots; // (tree,)
    const double* shares;      // (node, class), of leaves
    int trees, classes;
    const float* features; // (voxel, feature)
    std::ptrdiff_t voxels, features_of_voxel;
    double* out; // (voxel, class): sums over the trees
};

// Balls inside a body that no ball around a neighbour holds; see thickness.h.
struct ThicknessRidge {
    const float* squares; // (z, y, x) squared distances, whole numbers; 0 where no ball is
    std::ptrdiff_t depth, rows, columns;
    std::int32_t most;           // largest square
    const std::int32_t* covered; // (3, most + 1)
    std::uint8_t* ridge;         // (z, y, x)
};

// Balls painted, the largest value over the others.
struct ThicknessPaint {
    const std::int64_t* places;  // (ball,) of their middles in `out`, ascending
    const std::int32_t* squares; // (ball,) of their radii
    const float* values;         // (ball,)
    std::ptrdiff_t count;
    const std::int32_t* widest; // (most + 1,)
    std::ptrdiff_t rows, columns;
    float* out; // (z, y, x)
};

constexpr std::uint8_t ASCENT_SUMMIT = 14; // of a voxel that no neighbour is higher than

// Where the voxels of a distance map go; see watershed.h.
struct Ascent {
    const float* squares; // (z, y, x) squared distances, 0 outside the body
    std::ptrdiff_t depth, rows, columns;
    std::ptrdiff_t first; // plane of `squares` that `up` begins with
    std::uint8_t* up;
};

struct Basins {
    const float* squares;   // (z, y, x)
    const std::uint8_t* up; // (z, y, x)
    std::ptrdiff_t depth, rows, columns;
    std::int32_t* labels; // (z, y, x)
};

// Part of one chunk packed by bitshuffle and LZ4; see bitshuffle.h.
struct BitshuffledChunk {
    const std::uint8_t* packed;
    std::uint64_t packed_bytes, unpacked_bytes;
    int element;                // bytes of an element: 1, 2, 4 or 8
    std::uint64_t first, bytes; // the part of the unpacked chunk that is wanted
    std::uint8_t* out;          // (bytes,)
    std::uint8_t* scratch;      // (bitshuffle_scratch_bytes,)
};

constexpr std::uint64_t SLACK = 32; // bytes behind an unpacked block that a copy in wide steps may touch

inline std::uint64_t big_endian(const std::uint8_t* at, int bytes) {
    std::uint64_t value = 0;
    for (int k = 0; k < bytes; ++k) value = value << 8 | at[k];
    return value;
}

// No block is longer than its chunk, whatever its header claims; three are held.
inline std::uint64_t bitshuffle_longest_block(const BitshuffledChunk& c) {
    const std::uint64_t block = c.packed_bytes < 12 ? 0 : big_endian(c.packed + 8, 4);
    return block < c.unpacked_bytes ? block : c.unpacked_bytes;
}
inline std::uint64_t bitshuffle_scratch_bytes(const BitshuffledChunk& c) {
    return 3 * (bitshuffle_longest_block(c) + SLACK);
}

constexpr std::ptrdiff_t BLOSC_STREAM = 1 << 16; // as many elements are a block within a chunk

// A chunk of whole blocks to be packed; see blosc.h.
struct BloscChunk {
    const void* data;
    std::ptrdiff_t shape[3], stride[2]; // elements; rows are contiguous
    int element;                        // bytes of an element
    std::uint8_t* out;                  // (blosc_room,)
    std::uint8_t* scratch;              // (BLOSC_STREAM * (element + 1),)
};

constexpr std::ptrdiff_t CHECKSUM_BYTES = 4, ZERO_CHUNK = -1;

// Most bytes that a chunk of so many takes when it is packed.
inline std::ptrdiff_t blosc_room(std::ptrdiff_t bytes) { return 16 + bytes + bytes / BLOSC_STREAM * 8; }

// Gridding of so many rows at a time, each line holding one number of each.
struct GriddingKernel {
    int lanes;
    std::ptrdiff_t (*scratch_lines)(const Gridding&);
    std::int64_t (*reconstruct)(const Gridding&, int first_row); // returns how many inputs were not finite
};

struct Kernels {
    const char* level;
    int largest_radix;
    GriddingKernel gridding, gridding_few;
    void (*backproject)(const Backprojection&, int first_row);
    void (*normalise)(const FlatField&);
    void (*quantise)(const Quantising&);
    void (*moments)(const ImagePart&, Moments&);
    void (*histogram)(const ImagePart&, float scale, std::int32_t origin, std::int32_t bins, std::int64_t* counts);
    void (*moments_and_histogram)(const ImagePart&, Moments&, float scale, std::int32_t origin, std::int32_t bins,
                                  std::int64_t* counts);
    void (*halve_planes)(const Halving&, std::ptrdiff_t z);
    std::ptrdiff_t (*sorting_scratch_lines)(const Sorting&);
    std::int64_t (*sort_stripes)(const Sorting&); // returns how many rows were not finite
    std::ptrdiff_t (*difference_scratch_lines)(const ColumnFigures&);
    void (*column_figures)(ColumnFigures&);
    void (*to_groups)(const ColumnGroups&);
    void (*from_groups)(const ColumnGroups&);
    void (*running_medians)(const RunningMedians&);
    std::ptrdiff_t (*spikes_scratch_lines)(const Spikes&);
    void (*mend_spikes)(const Spikes&);
    void (*add_shadows)(const Shadows&);
    void (*search_shifts)(const ShiftSearch&);
    std::ptrdiff_t (*distance_scratch_bytes)(const Distance&);
    void (*distance_planes)(const Distance&, std::ptrdiff_t first, std::ptrdiff_t last); // first this, for all planes
    void (*distance_rows)(const Distance&, std::ptrdiff_t first, std::ptrdiff_t last);   // then this, for all rows
    void (*curvatures)(const Neighbourhood&);
    void (*eigenvalues_of_tensors)(const Tensors&);
    void (*sum_trees)(const Trees&);
    void (*ball_tables)(std::int32_t most, std::int32_t* covered, std::int32_t* widest);
    void (*thickness_ridge)(const ThicknessRidge&, std::ptrdiff_t first, std::ptrdiff_t last);
    void (*thickness_paint)(const ThicknessPaint&, std::ptrdiff_t first, std::ptrdiff_t last);
    void (*watershed_ascent)(const Ascent&, std::ptrdiff_t z);
    std::int32_t (*watershed_basins)(const Basins&);
    std::ptrdiff_t (*blosc_pack)(const BloscChunk&); // 0 where this level cannot
    std::ptrdiff_t (*blosc_pack_checked)(const BloscChunk&);
    bool (*bitshuffle_lz4)(const BitshuffledChunk&); // false where the bytes are not such a chunk
};

GriddingKernel plain_few_kernel();
GriddingKernel v3_few_kernel();
GriddingKernel v4_few_kernel();
const Kernels& plain_kernels();
const Kernels& v3_kernels();
const Kernels& v4_kernels();

} // namespace tomarium
