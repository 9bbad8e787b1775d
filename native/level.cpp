// SPDX-License-Identifier: BSD-3-Clause
// Compiled once for each instruction-set level, with TOMARIUM_LEVEL = plain, v3 or v4.
#include "bitshuffle.h"
#include "blosc.h"
#include "column_figures.h"
#include "column_groups.h"
#include "direct.h"
#include "distance.h"
#include "flat_field.h"
#include "halving.h"
#include "neighbourhood.h"
#include "quantise.h"
#include "shadows.h"
#include "shift_search.h"
#include "sorting.h"
#include "spikes.h"
#include "statistics.h"
#include "thickness.h"
#include "watershed.h"

#define TOMARIUM_JOIN(a, b) a##b
#define TOMARIUM_NAME(level) TOMARIUM_JOIN(level, _kernels)
#define TOMARIUM_FEW(level) TOMARIUM_JOIN(level, _few_kernel)
#define TOMARIUM_TEXT(a) #a
#define TOMARIUM_STRING(a) TOMARIUM_TEXT(a)

namespace tomarium {

const Kernels& TOMARIUM_NAME(TOMARIUM_LEVEL)() {
    using namespace TOMARIUM_LEVEL;
    const GriddingKernel gridding{LANES, gridding_scratch_lines, reconstruct};
    static const Kernels kernels{TOMARIUM_STRING(TOMARIUM_LEVEL), LARGEST_RADIX, gridding,
                                 TOMARIUM_FEW(TOMARIUM_LEVEL)(), backproject, normalise, quantise, moments, histogram,
                                 moments_and_histogram, halve_planes,
                                 sorting_scratch_lines, sort_stripes, difference_scratch_lines,
                                 column_figures, to_groups, from_groups, running_medians, spikes_scratch_lines, mend_spikes, add_shadows,
                                 search_shifts, distance_scratch_bytes,
                                 distance_planes, distance_rows, curvatures, eigenvalues_of_tensors, sum_trees,
                                 ball_tables, thickness_ridge, thickness_paint, watershed_ascent, watershed_basins, blosc_pack, blosc_pack_checked, bitshuffle_lz4};
    return kernels;
}

} // namespace tomarium
