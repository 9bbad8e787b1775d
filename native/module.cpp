// SPDX-License-Identifier: BSD-3-Clause
// The Python face of the compiled kernels: checks shapes, owns memory, releases the GIL, picks the level.
#include "fft_plan.h"
#include "saddles.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <mutex>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace nb = nanobind;
using namespace nanobind::literals;
using namespace tomarium;

namespace {

template <class T, int N> using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N> using Out = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
// Rows and angles may be strided, so that a slab of a larger array is not copied.
using Rows = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;

void demand(bool truth, const char* what) {
    if (!truth) throw std::invalid_argument(what);
}

// Blocks of scratch that no call uses just now. The system clears every page that it hands out, which costs as much as
// the kernel itself; so they are kept for the next call, until `release_scratch`. Small blocks lie apart: a chunk that is
// packed must not take the memory of a slab, for which the next slab would have to be given new.
class Shelf {
  public:
    struct Block {
        void* memory;
        std::size_t bytes;
    };

    Block take(std::size_t bytes) {
        const std::lock_guard<std::mutex> held(mutex_);
        std::vector<Block>& idle = blocks_of(bytes);
        std::size_t best = idle.size();
        for (std::size_t k = 0; k < idle.size(); ++k)
            if (idle[k].bytes >= bytes && (best == idle.size() || idle[k].bytes < idle[best].bytes)) best = k;
        if (best < idle.size()) {
            const Block found = idle[best];
            idle.erase(idle.begin() + std::ptrdiff_t(best));
            return found;
        }
        // None is large enough: give the largest back, which would only lie beside the new one.
        if (!idle.empty()) {
            std::size_t largest = 0;
            for (std::size_t k = 1; k < idle.size(); ++k)
                if (idle[k].bytes > idle[largest].bytes) largest = k;
            std::free(idle[largest].memory);
            idle.erase(idle.begin() + std::ptrdiff_t(largest));
        }
        void* memory = std::aligned_alloc(PAGE, bytes);
        if (!memory) throw std::bad_alloc();
#ifdef __linux__
        madvise(memory, bytes, MADV_HUGEPAGE); // touching 4 KiB pages one by one costs more still
#endif
        return {memory, bytes};
    }

    void put(Block block) {
        const std::lock_guard<std::mutex> held(mutex_);
        blocks_of(block.bytes).push_back(block);
    }

    std::size_t clear() {
        const std::lock_guard<std::mutex> held(mutex_);
        std::size_t bytes = 0;
        for (std::vector<Block>* idle : {&small_, &large_}) {
            for (const Block& block : *idle) {
                bytes += block.bytes;
                std::free(block.memory);
            }
            idle->clear();
        }
        return bytes;
    }

    static constexpr std::size_t PAGE = std::size_t(1) << 21;

  private:
    static constexpr std::size_t SMALL = 8 * PAGE;
    std::vector<Block>& blocks_of(std::size_t bytes) { return bytes <= SMALL ? small_ : large_; }

    std::mutex mutex_;
    std::vector<Block> small_, large_;
};

Shelf& shelf() {
    static Shelf* const made = new Shelf; // never destroyed: a thread may end after the interpreter does
    return *made;
}

// Lines of scratch for one call.
class Scratch {
  public:
    explicit Scratch(std::size_t lines)
        : block_(shelf().take((lines * LANES * sizeof(float) + Shelf::PAGE - 1) / Shelf::PAGE * Shelf::PAGE)) {}
    ~Scratch() { shelf().put(block_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    float* get() const { return static_cast<float*>(block_.memory); }

  private:
    Shelf::Block block_;
};

std::vector<std::string> levels() {
    std::vector<std::string> found;
#ifdef TOMARIUM_X86_LEVELS
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (v4) found.push_back("v4");
    if (v3) found.push_back("v3");
#endif
    found.push_back("plain");
    return found;
}

const Kernels& kernels(const std::string& level) {
    for (const std::string& name : levels())
        if (name == level) {
#ifdef TOMARIUM_X86_LEVELS
            if (level == "v4") return v4_kernels();
            if (level == "v3") return v3_kernels();
#endif
            return plain_kernels();
        }
    throw std::invalid_argument("this processor has no level " + level);
}

// See turn_rows in gridding.h. Rows beyond the last stay where they are.
void fill_turns(const double* offsets, int rows, int padded, int lanes, float* turns) {
    const double step = 2 * std::acos(-1.0) / padded;
    for (int f = 0; f <= padded / 2; ++f, turns += 4 * lanes)
        for (int pair = 0; pair < lanes; pair += 2) {
            double re[2], im[2];
            for (int k = 0; k < 2; ++k) {
                const double angle = pair + k < rows ? step * f * offsets[pair + k] : 0.0;
                re[k] = std::cos(angle);
                im[k] = std::sin(angle);
            }
            const double parts[4] = {re[0] + re[1], im[0] + im[1], re[0] - re[1], im[0] - im[1]};
            for (int line = 0; line < 4; ++line) {
                turns[line * lanes + pair] = float((line % 2 ? -0.5 : 0.5) * parts[line]);
                turns[line * lanes + pair + 1] = float(0.5 * parts[line]);
            }
        }
}

constexpr double PAST_BYTES = 1 << 22; // results larger than this are written past the caches

std::int64_t gridding(Rows sinogram, In<std::int32_t, 1> order, In<double, 2> directions, In<float, 1> response,
                      bool extend_edges, int block, In<float, 2> far, In<std::int32_t, 2> far_ranges,
                      In<float, 2> far_spectrum, In<double, 1> row_offsets, int size, nb::tuple region, int grid,
                      In<float, 2> polynomial, In<float, 1> correction, float scale, Out<float, 3> out, int threads,
                      const std::string& level) {
    const Kernels& kernel = kernels(level);
    Gridding g{};
    g.sinogram = sinogram.data();
    g.angle_stride = sinogram.stride(0);
    g.row_stride = sinogram.stride(1);
    g.angles = int(sinogram.shape(0));
    g.rows = int(sinogram.shape(1));
    g.columns = int(sinogram.shape(2));
    g.padded = 2 * (int(response.shape(0)) - 1);
    g.y0 = nb::cast<int>(region[0]);
    g.y1 = nb::cast<int>(region[1]);
    g.x0 = nb::cast<int>(region[2]);
    g.x1 = nb::cast<int>(region[3]);
    demand(sinogram.stride(2) == 1, "columns must be contiguous");
    demand(int(order.shape(0)) == g.angles, "order must have one index an angle");
    demand(directions.shape(0) == 5 && int(directions.shape(1)) == g.angles, "directions must be (5, angle)");
    demand(g.padded >= g.columns, "the padded length must hold the columns");
    demand(polynomial.shape(1) == TAP_SLOTS && polynomial.shape(0) >= 1 && polynomial.shape(0) <= 16,
           "polynomial must be (degree + 1, 8)");
    demand(int(correction.shape(0)) == size && size <= grid && grid >= 64, "correction must have one factor a pixel");
    demand(0 <= g.y0 && g.y0 < g.y1 && g.y1 <= size && 0 <= g.x0 && g.x0 < g.x1 && g.x1 <= size,
           "the region must lie in the image");
    demand(int(out.shape(0)) == g.rows && int(out.shape(1)) == g.y1 - g.y0 && int(out.shape(2)) == g.x1 - g.x0,
           "out must be (row, y, x)");
    const int coarse = int(far.shape(0));
    if (coarse > 0) {
        g.block = block;
        g.blocks = int(far.shape(1));
        demand(block >= 1 && coarse * block == g.padded, "blocks must divide the padded length");
        demand(g.blocks == (g.columns + block - 1) / block, "far must have a column for each block");
        demand(far_ranges.shape(0) == 2 && int(far_ranges.shape(1)) == coarse, "far_ranges must be (2, padded / block)");
        demand(int(far_spectrum.shape(0)) == coarse / 2 + 1 && far_spectrum.shape(1) == 2,
               "far_spectrum must be (padded / block / 2 + 1, 2)");
        g.far_from = far_ranges.data();
        g.far_to = g.far_from + coarse;
        for (int k = 0; k < coarse; ++k)
            demand(0 <= g.far_from[k] && g.far_to[k] <= g.blocks, "far_ranges must lie in the blocks");
        g.far = far.data();
        g.far_spectrum = far_spectrum.data();
    }
    const bool turned = row_offsets.shape(0) > 0;
    demand(!turned || int(row_offsets.shape(0)) == g.rows, "row_offsets must have one number a row, or none");
    for (int k = 0; k < g.angles; ++k)
        demand(order.data()[k] >= 0 && order.data()[k] < g.angles, "order must hold indices of angles");
    g.order = order.data();
    g.direction = directions.data();
    g.cosine = g.direction + g.angles;
    g.sine = g.cosine + g.angles;
    g.weight = g.sine + g.angles;
    g.axis = g.weight + g.angles;
    g.response = response.data();
    g.extend_edges = extend_edges;
    g.size = size;
    g.degree = int(polynomial.shape(0)) - 1;
    g.polynomial = polynomial.data();
    g.correction = correction.data();
    g.scale = scale;
    g.out = out.data();
    g.threads = threads;

    nb::gil_scoped_release released;
    const FftTables filter(g.padded, kernel.largest_radix), image(grid, kernel.largest_radix);
    const FftTables far_tables(coarse > 0 ? coarse : 1, kernel.largest_radix);
    g.filter_plan = filter.plan;
    g.far_plan = far_tables.plan;
    g.image_plan = image.plan;
    const int lanes = g.rows <= FEW_LANES ? FEW_LANES : LANES, kept = g.rows <= PAIR_LANES ? PAIR_LANES : lanes;
    const auto shared = [](std::size_t lines, int some) { return (lines * some + LANES - 1) / LANES; };
    g.scratch_lines = std::max(kernel.gridding.scratch_lines(g), kernel.gridding_few.scratch_lines(g));
    g.past = double(g.rows) * (g.y1 - g.y0) * (g.x1 - g.x0) * sizeof(float) > PAST_BYTES;
    const std::size_t height = (g.y1 - g.y0 + LANES - 1) / LANES * LANES;
    Scratch filtered(shared(std::size_t(g.angles) * (g.padded + 1), kept)), plane(shared(height * grid, kept));
    Scratch scratch(shared(std::size_t(threads) * g.scratch_lines, lanes));
    g.filtered = filtered.get();
    g.plane = plane.get();
    g.scratch = scratch.get();
    Scratch turns(turned ? 4 * (std::size_t(g.padded) / 2 + 1) : 1);
    if (turned) g.turns = turns.get();
    std::int64_t broken = 0;
    for (int row = 0; row < g.rows;) {
        const int left = g.rows - row;
        const GriddingKernel& some = left <= FEW_LANES ? kernel.gridding_few : kernel.gridding;
        if (turned)
            fill_turns(row_offsets.data() + row, std::min(some.lanes, left), g.padded, some.lanes, turns.get());
        broken += some.reconstruct(g, row);
        row += some.lanes;
    }
    return broken;
}

void backproject(Rows filtered, In<double, 2> directions, int size, nb::tuple region, Out<float, 3> out,
                 int threads, const std::string& level) {
    const Kernels& kernel = kernels(level);
    Backprojection b{};
    b.filtered = filtered.data();
    b.angle_stride = filtered.stride(0);
    b.row_stride = filtered.stride(1);
    b.angles = int(filtered.shape(0));
    b.rows = int(filtered.shape(1));
    b.samples = int(filtered.shape(2));
    b.y0 = nb::cast<int>(region[0]);
    b.y1 = nb::cast<int>(region[1]);
    b.x0 = nb::cast<int>(region[2]);
    b.x1 = nb::cast<int>(region[3]);
    demand(filtered.stride(2) == 1, "samples must be contiguous");
    demand(directions.shape(0) == 3 && int(directions.shape(1)) == b.angles, "directions must be (3, angle)");
    demand(0 <= b.y0 && b.y0 < b.y1 && b.y1 <= size && 0 <= b.x0 && b.x0 < b.x1 && b.x1 <= size,
           "the region must lie in the image");
    demand(int(out.shape(0)) == b.rows && int(out.shape(1)) == b.y1 - b.y0 && int(out.shape(2)) == b.x1 - b.x0,
           "out must be (row, y, x)");
    b.cosine = directions.data();
    b.sine = b.cosine + b.angles;
    b.axis = b.sine + b.angles;
    for (int k = 0; k < b.angles; ++k) {
        const double c = b.cosine[k], s = b.sine[k], reach = 0.5 * size * std::sqrt(c * c + s * s) + 1e-6;
        demand(b.axis[k] - reach >= 0 && b.axis[k] + reach < b.samples - 1, "the samples must cover the disc");
    }
    b.size = size;
    b.out = out.data();
    b.threads = threads;

    nb::gil_scoped_release released;
    Scratch packed(std::size_t(b.angles) * b.samples);
    b.packed = packed.get();
    for (int row = 0; row < b.rows; row += LANES) kernel.backproject(b, row);
}

template <class Count>
void normalise(In<Count, 2> counts, In<float, 1> dark, In<float, 2> bright, In<std::int32_t, 1> lower,
               In<float, 1> fraction, float lowest_counts, float lowest_transmission, bool logarithm,
               Out<float, 2> out, Out<std::int64_t, 2> tally, int threads, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::size_t angles = counts.shape(0), pixels = counts.shape(1);
    demand(dark.shape(0) == pixels && bright.shape(1) == pixels, "references must have the frames' pixels");
    demand(lower.shape(0) == angles && fraction.shape(0) == angles, "lower and fraction must be (angle,)");
    demand(out.shape(0) == angles && out.shape(1) == pixels, "out must have the shape of the counts");
    demand(tally.shape(0) == 3 && tally.shape(1) == angles, "tally must be (3, angle)");
    for (std::size_t k = 0; k < angles; ++k) {
        const std::int64_t last = lower.data()[k] + (fraction.data()[k] > 0);
        demand(lower.data()[k] >= 0 && last < std::int64_t(bright.shape(0)), "lower must name a reference group");
    }
    FlatField f{};
    f.counts = counts.data();
    f.is_float = std::is_same_v<Count, float>;
    f.angles = std::ptrdiff_t(angles);
    f.pixels = std::ptrdiff_t(pixels);
    f.dark = dark.data();
    f.bright = bright.data();
    f.lower = lower.data();
    f.fraction = fraction.data();
    f.lowest_counts = lowest_counts;
    f.lowest_transmission = lowest_transmission;
    f.logarithm = logarithm;
    f.out = out.data();
    f.past = double(angles) * double(pixels) * sizeof(float) > PAST_BYTES;
    f.clipped = tally.data();
    f.dead = f.clipped + angles;
    f.not_finite = f.dead + angles;
    f.threads = threads;
    nb::gil_scoped_release released;
    kernel.normalise(f);
}

template <class Count> void def_normalise(nb::module_& m) {
    m.def("normalise", normalise<Count>, "counts"_a.noconvert(), "dark"_a.noconvert(), "bright"_a.noconvert(),
          "lower"_a.noconvert(), "fraction"_a.noconvert(), "lowest_counts"_a, "lowest_transmission"_a,
          "logarithm"_a, "out"_a.noconvert(), "tally"_a.noconvert(), "threads"_a, "level"_a);
}

template <class Value, class Number>
void quantise(In<Value, 1> values, double low, double high, double scale, Out<Number, 1> out,
              Out<std::int64_t, 1> counts, int threads, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(values.shape(0) == out.shape(0), "out must have as many numbers as there are values");
    demand(counts.shape(0) == 3 || counts.shape(0) == 0, "counts must be (3,), or empty");
    const double most = std::numeric_limits<Number>::max();
    const bool past = double(out.shape(0)) * sizeof(Number) > PAST_BYTES;
    const Quantising q{values.data(), std::is_same_v<Value, double>, std::ptrdiff_t(values.shape(0)), low, scale, most,
                       out.data(), int(sizeof(Number)), past, counts.shape(0) ? counts.data() : nullptr, high, threads};
    nb::gil_scoped_release released;
    kernel.quantise(q);
}

template <class Value, class Number> void def_quantise(nb::module_& m) {
    m.def("quantise", quantise<Value, Number>, "values"_a.noconvert(), "low"_a, "high"_a, "scale"_a, "out"_a.noconvert(),
          "counts"_a.noconvert(), "threads"_a, "level"_a);
}

std::int64_t sort_stripes(Rows sinograms, int size, float strength, Out<float, 3> out, Out<double, 3> means,
                          int kept_from, int kept_to, int threads, const std::string& level) {
    const Kernels& kernel = kernels(level);
    Sorting s{};
    s.data = sinograms.data();
    s.angle_stride = sinograms.stride(0);
    s.row_stride = sinograms.stride(1);
    s.angles = int(sinograms.shape(0));
    s.rows = int(sinograms.shape(1));
    s.columns = int(sinograms.shape(2));
    s.size = size;
    s.strength = strength;
    s.out = out.data();
    s.threads = threads < 1 ? 1 : threads;
    demand(sinograms.stride(2) == 1, "columns must be contiguous");
    demand(size % 2 == 1 && size >= 1, "size must be odd");
    if (means.size()) {
        demand(means.shape(0) == 2 && means.shape(1) == sinograms.shape(1) && means.shape(2) == sinograms.shape(2),
               "means must be (2, row, column)");
        demand(0 <= kept_from && kept_from < kept_to && kept_to <= s.angles, "ranks must be some of the angles");
        s.means = means.data();
        s.kept_from = kept_from;
        s.kept_to = kept_to;
    }
    demand(out.shape(0) == sinograms.shape(0) && out.shape(1) == sinograms.shape(1) &&
               out.shape(2) == sinograms.shape(2), "out must have the shape of the sinograms");
    nb::gil_scoped_release released;
    s.scratch_lines = kernel.sorting_scratch_lines(s);
    const Scratch scratch(std::size_t(s.scratch_lines) * s.threads);
    s.scratch = scratch.get();
    return kernel.sort_stripes(s);
}

// Angles may be strided.
using Sinogram = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;

void difference_medians(Sinogram sinogram, Out<float, 1> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(sinogram.stride(1) == 1, "columns must be contiguous");
    demand(sinogram.shape(0) >= 3, "there must be three angles");
    demand(out.shape(0) == sinogram.shape(1), "out must have one number a column");
    ColumnFigures f{};
    f.data = sinogram.data();
    f.stride = sinogram.stride(0);
    f.group_stride = LANES;
    f.angles = int(sinogram.shape(0));
    f.columns = int(sinogram.shape(1));
    f.medians = out.data();
    nb::gil_scoped_release released;
    const Scratch scratch(std::size_t(kernel.difference_scratch_lines(f)));
    f.scratch = scratch.get();
    kernel.column_figures(f);
}

template <class Value> void demand_groups(const nb::ndarray<Value, nb::ndim<3>, nb::c_contig, nb::device::cpu>& groups, std::size_t angles, std::size_t columns) {
    demand(groups.shape(0) == (columns + LANES - 1) / LANES && groups.shape(1) == angles && groups.shape(2) == LANES,
           "groups must be (group of 16 columns, angle, 16)");
}

void to_groups(Sinogram sinogram, Out<float, 3> groups, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(sinogram.stride(1) == 1, "columns must be contiguous");
    demand_groups<float>(groups, sinogram.shape(0), sinogram.shape(1));
    ColumnGroups g{};
    g.data = const_cast<float*>(sinogram.data()); // it is only read
    g.stride = sinogram.stride(0);
    g.angles = int(sinogram.shape(0));
    g.columns = int(sinogram.shape(1));
    g.groups = groups.data();
    nb::gil_scoped_release released;
    kernel.to_groups(g);
}

void from_groups(In<float, 3> groups, In<float, 3> removed, In<float, 1> share, In<float, 1> constant,
                 nb::ndarray<float, nb::ndim<2>, nb::device::cpu> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(out.stride(1) == 1, "columns must be contiguous");
    demand_groups<const float>(groups, out.shape(0), out.shape(1));
    demand_groups<const float>(removed, out.shape(0), out.shape(1));
    demand(share.shape(0) == out.shape(1) && constant.shape(0) == out.shape(1), "there must be a number a column");
    ColumnGroups g{};
    g.data = out.data();
    g.stride = out.stride(0);
    g.angles = int(out.shape(0));
    g.columns = int(out.shape(1));
    g.groups = const_cast<float*>(groups.data()); // they are only read
    g.removed = removed.data();
    g.share = share.data();
    g.constant = constant.data();
    g.past = reinterpret_cast<std::uintptr_t>(g.data) % (LANES * sizeof(float)) == 0 && g.stride % LANES == 0 &&
             double(out.shape(0)) * double(out.shape(1)) * sizeof(float) > PAST_BYTES;
    nb::gil_scoped_release released;
    kernel.from_groups(g);
}

// Returns the least and the largest number, and whether all are finite.
std::tuple<float, float, bool> group_figures(In<float, 3> groups, Out<float, 1> medians, Out<double, 2> means,
                                             Out<double, 2> more_means, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::size_t angles = groups.shape(1), columns = medians.shape(0);
    demand_groups<const float>(groups, angles, columns);
    demand(angles >= 3, "there must be three angles");
    demand(means.shape(1) == columns && more_means.shape(1) == columns && means.shape(0) > 0 && means.shape(0) <= angles &&
               more_means.shape(0) <= angles, "means must be (block, column), with an angle for each block");
    ColumnFigures f{};
    f.data = groups.data();
    f.stride = LANES;
    f.group_stride = std::ptrdiff_t(angles) * LANES;
    f.angles = int(angles);
    f.columns = int(columns);
    f.medians = medians.data();
    f.blocks = int(means.shape(0));
    f.means = means.data();
    f.more_blocks = int(more_means.shape(0));
    f.more_means = more_means.data();
    nb::gil_scoped_release released;
    const Scratch scratch(std::size_t(kernel.difference_scratch_lines(f)));
    f.scratch = scratch.get();
    kernel.column_figures(f);
    return {f.least, f.largest, f.finite};
}

// Returns whether all numbers are finite.
bool sort_groups(In<float, 3> groups, int size, Out<float, 3> removed, Out<double, 2> means, Out<double, 2> more_means,
                 const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::size_t angles = groups.shape(1), columns = means.shape(1);
    demand_groups<const float>(groups, angles, columns);
    demand_groups<float>(removed, angles, columns);
    demand(size % 2 == 1 && size >= 1, "size must be odd");
    demand(more_means.shape(1) == columns && means.shape(0) <= angles && more_means.shape(0) <= angles,
           "means must be (block, column), with an angle for each block");
    Sorting s{};
    s.data = groups.data();
    s.angle_stride = LANES;
    s.group_stride = std::ptrdiff_t(angles) * LANES;
    s.angles = int(angles);
    s.rows = 1;
    s.columns = int(columns);
    s.size = size;
    s.strength = 1;
    s.out = removed.data();
    s.blocks = int(means.shape(0));
    s.block_means = means.data();
    s.more_blocks = int(more_means.shape(0));
    s.more_block_means = more_means.data();
    s.threads = 1;
    nb::gil_scoped_release released;
    s.scratch_lines = kernel.sorting_scratch_lines(s);
    const Scratch scratch{std::size_t(s.scratch_lines)};
    s.scratch = scratch.get();
    return kernel.sort_stripes(s) == 0;
}

void running_medians(In<double, 2> values, int size, Out<double, 2> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(size % 2 == 1 && size >= 1, "size must be odd");
    demand(out.shape(0) == values.shape(0) && out.shape(1) == values.shape(1) && values.shape(1) > 0,
           "out must have the shape of the values");
    std::vector<double> scratch(2 * std::size_t(size) + values.shape(1));
    const RunningMedians r{values.data(), int(values.shape(0)), int(values.shape(1)), size, out.data(), scratch.data()};
    nb::gil_scoped_release released;
    kernel.running_medians(r);
}

void add_shadows(In<double, 2> table, In<double, 1> z, In<double, 1> u, Out<float, 2> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(table.shape(1) == SHADOW_NUMBERS, "table must be (ellipsoid, 9)");
    demand(out.shape(0) == z.shape(0) && out.shape(1) == u.shape(0), "out must be (row, column)");
    Shadows s{};
    s.table = table.data();
    s.ellipsoids = std::ptrdiff_t(table.shape(0));
    s.z = z.data();
    s.u = u.data();
    s.rows = int(z.shape(0));
    s.columns = int(u.shape(0));
    s.out = out.data();
    nb::gil_scoped_release released;
    kernel.add_shadows(s);
}

template <class Count>
void mend_spikes(In<Count, 3> frames, In<Count, 3> more, In<std::int32_t, 2> beside, In<float, 2> dark,
                 In<float, 2> relative, In<double, 1> brightness, In<double, 1> sigma, In<double, 1> in_time,
                 double threshold, float least, Out<Count, 3> out, Out<std::int64_t, 1> replaced, int threads,
                 const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(brightness.shape(0) == sigma.shape(0) && in_time.shape(0) == sigma.shape(0) && sigma.shape(0) >= 1,
           "there must be a sigma for each brightness");
    demand(more.shape(1) == frames.shape(1) && more.shape(2) == frames.shape(2), "more must be frames of that size");
    demand(beside.shape(0) == frames.shape(0) && beside.shape(1) == 2, "beside must be (angle, 2)");
    for (std::size_t k = 0; k < 2 * frames.shape(0); ++k)
        demand(beside.data()[k] >= -1 && std::size_t(beside.data()[k] + 1) <= frames.shape(0) + more.shape(0),
               "beside must be numbers of frames");
    demand(dark.shape(0) == frames.shape(1) && dark.shape(1) == frames.shape(2) &&
               relative.shape(0) == frames.shape(1) && relative.shape(1) == frames.shape(2),
           "dark and relative must be (row, column)");
    demand(out.shape(0) == frames.shape(0) && out.shape(1) == frames.shape(1) && out.shape(2) == frames.shape(2),
           "out must have the shape of the frames");
    demand(replaced.shape(0) == frames.shape(0), "replaced must be (angle,)");
    demand(frames.shape(1) >= 1 && frames.shape(2) >= 1, "frames must not be empty");
    demand(static_cast<const void*>(out.data()) != frames.data(), "out must be another array");
    Spikes s{};
    s.frames = frames.data();
    s.more = more.data();
    s.beside = beside.data();
    s.dark = dark.data();
    s.relative = relative.data();
    s.is_float = std::is_same_v<Count, float>;
    s.angles = std::ptrdiff_t(frames.shape(0));
    s.rows = int(frames.shape(1));
    s.columns = int(frames.shape(2));
    s.brightness = brightness.data();
    s.sigma = sigma.data();
    s.in_time = in_time.data();
    s.levels = int(sigma.shape(0));
    s.threshold = threshold;
    s.least = least;
    s.out = out.data();
    s.replaced = replaced.data();
    s.threads = threads;
    nb::gil_scoped_release released;
    s.scratch_lines = kernel.spikes_scratch_lines(s);
    const Scratch scratch(std::size_t(s.scratch_lines) * s.threads);
    s.scratch = scratch.get();
    kernel.mend_spikes(s);
}

template <class Count> void def_mend_spikes(nb::module_& m) {
    m.def("mend_spikes", mend_spikes<Count>, "frames"_a.noconvert(), "more"_a.noconvert(), "beside"_a.noconvert(),
          "dark"_a.noconvert(), "relative"_a.noconvert(), "brightness"_a.noconvert(), "sigma"_a.noconvert(),
          "in_time"_a.noconvert(), "threshold"_a, "least"_a, "out"_a.noconvert(), "replaced"_a.noconvert(), "threads"_a,
          "level"_a);
}

template <class Value>
ImagePart part_of(const In<Value, 2>& image, const In<std::int32_t, 1>& first, const In<std::int32_t, 1>& last) {
    const std::size_t rows = image.shape(0);
    demand(first.shape(0) == rows && last.shape(0) == rows, "first and last must be (row,)");
    for (std::size_t row = 0; row < rows; ++row)
        demand(0 <= first.data()[row] && last.data()[row] <= std::int64_t(image.shape(1)), "columns must lie in the image");
    return {image.data(), int(sizeof(Value)), std::ptrdiff_t(rows), std::ptrdiff_t(image.shape(1)), first.data(), last.data()};
}

// Without counts, the moments alone.
template <class Value>
auto image_moments(In<Value, 2> image, In<std::int32_t, 1> first, In<std::int32_t, 1> last, float scale,
                   std::int32_t origin, Out<std::int64_t, 1> counts, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const ImagePart part = part_of(image, first, last);
    const std::int32_t bins = std::int32_t(counts.shape(0));
    demand(bins <= HISTOGRAM_BINS, "counts must have at most 2048 bins");
    Moments m{};
    m.minimum = std::numeric_limits<float>::infinity();
    m.maximum = -m.minimum;
    {
        nb::gil_scoped_release released;
        if (bins) kernel.moments_and_histogram(part, m, scale, origin, bins, counts.data());
        else kernel.moments(part, m);
    }
    return std::make_tuple(m.count, m.not_finite, m.minimum, m.maximum, m.sum, m.sum_squares);
}

template <class Value>
void image_histogram(In<Value, 2> image, In<std::int32_t, 1> first, In<std::int32_t, 1> last, float scale,
                     std::int32_t origin, Out<std::int64_t, 1> counts, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const ImagePart part = part_of(image, first, last);
    demand(counts.shape(0) <= HISTOGRAM_BINS, "counts must have at most 2048 bins");
    nb::gil_scoped_release released;
    kernel.histogram(part, scale, origin, std::int32_t(counts.shape(0)), counts.data());
}

template <class Value> void def_statistics(nb::module_& m) {
    m.def("moments", image_moments<Value>, "image"_a.noconvert(), "first"_a.noconvert(), "last"_a.noconvert(),
          "scale"_a, "origin"_a, "counts"_a.noconvert(), "level"_a);
    m.def("histogram", image_histogram<Value>, "image"_a.noconvert(), "first"_a.noconvert(), "last"_a.noconvert(),
          "scale"_a, "origin"_a, "counts"_a.noconvert(), "level"_a);
}

template <class Value> void halve(In<Value, 3> block, Out<Value, 3> out, std::size_t z, const std::string& level) {
    const Kernels& kernel = kernels(level);
    for (int axis = 0; axis < 3; ++axis)
        demand(block.shape(axis) == 2 * out.shape(axis), "block must be twice as long as out along each axis");
    demand(z < out.shape(0), "z must be a plane of out");
    const Halving h{block.data(), out.data(), int(sizeof(Value)), std::ptrdiff_t(out.shape(1)), std::ptrdiff_t(out.shape(2))};
    nb::gil_scoped_release released;
    kernel.halve_planes(h, std::ptrdiff_t(z));
}

template <class Value> void def_halve(nb::module_& m) {
    m.def("halve", halve<Value>, "block"_a.noconvert(), "out"_a.noconvert(), "z"_a, "level"_a);
}

void search_shifts(In<std::uint16_t, 3> field, In<std::int32_t, 1> offsets, In<std::int64_t, 1> ends,
                   In<float, 1> n_log_n, std::int32_t least, Out<float, 3> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::int64_t points = std::int64_t(offsets.shape(0));
    demand(points < 65536, "there must be fewer than 65536 points");
    demand(ends.shape(0) == CODE_CLASSES + 1 && ends.data()[0] == 0 && ends.data()[CODE_CLASSES] == points,
           "ends must go from 0 to the number of points");
    for (int one = 0; one < CODE_CLASSES; ++one) demand(ends.data()[one] <= ends.data()[one + 1], "ends must ascend");
    demand(std::int64_t(n_log_n.shape(0)) == points + 1, "n_log_n must be (points + 1,)");
    const std::int64_t rows = std::int64_t(field.shape(1)), columns = std::int64_t(field.shape(2));
    const std::int64_t across = (std::int64_t(out.shape(2)) + SHIFT_LANES - 1) / SHIFT_LANES * SHIFT_LANES;
    if (out.size() == 0) return;
    const std::int64_t reached =
        ((std::int64_t(out.shape(0)) - 1) * rows + std::int64_t(out.shape(1)) - 1) * columns + across;
    for (std::int64_t k = 0; k < points; ++k)
        demand(offsets.data()[k] >= 0 && offsets.data()[k] + reached <= std::int64_t(field.size()),
               "all shifts of all points must lie in the field");
    const ShiftSearch s{field.data(), std::ptrdiff_t(rows), std::ptrdiff_t(columns), offsets.data(), ends.data(),
                        n_log_n.data(), least, std::ptrdiff_t(out.shape(0)), std::ptrdiff_t(out.shape(1)),
                        std::ptrdiff_t(out.shape(2)), out.data()};
    nb::gil_scoped_release released;
    kernel.search_shifts(s);
}

// The planes or the rows first to last - 1: all planes first, then all rows.
void distance(In<std::uint8_t, 3> body, std::tuple<double, double, double> spacing, double reach,
              std::optional<In<float, 3>> less, bool squared, Out<float, 3> out, bool along_z, std::size_t first,
              std::size_t last, const std::string& level) {
    const Kernels& kernel = kernels(level);
    for (int axis = 0; axis < 3; ++axis) {
        demand(body.shape(axis) == out.shape(axis), "out must be as large as body");
        demand(!less || less->shape(axis) == out.shape(axis), "less must be as large as body");
        demand(std::ptrdiff_t(out.shape(axis)) <= LONGEST_DISTANCE_AXIS, "an axis must have at most 32766 voxels");
    }
    demand(first <= last && last <= out.shape(along_z ? 1 : 0), "first and last must be planes, or rows, of out");
    const auto [z, y, x] = spacing;
    demand(z > 0 && y > 0 && x > 0 && reach > 0, "spacing and reach must be above 0");
    Distance d{body.data(), std::ptrdiff_t(out.shape(0)), std::ptrdiff_t(out.shape(1)), std::ptrdiff_t(out.shape(2)),
               {z, y, x}, reach, less ? less->data() : nullptr, squared, out.data(), nullptr};
    nb::gil_scoped_release released;
    const std::unique_ptr<double[]> scratch(new double[std::size_t(kernel.distance_scratch_bytes(d)) / sizeof(double) + 1]);
    d.scratch = scratch.get();
    (along_z ? kernel.distance_rows : kernel.distance_planes)(d, std::ptrdiff_t(first), std::ptrdiff_t(last));
}

// Gradient and curvatures of planes of a smoothed volume, into the features of each voxel from number `place` on.
void curvatures(In<float, 3> values, std::size_t first, std::size_t last, double factor, Out<float, 4> out, std::size_t place,
                const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(first <= last && last <= values.shape(0) && out.shape(0) == last - first, "first and last must be planes");
    demand(out.shape(1) == values.shape(1) && out.shape(2) == values.shape(2), "out must have the planes' shape");
    demand(place + 4 <= out.shape(3), "four numbers of out must lie from place on");
    const Neighbourhood n{values.data(), std::ptrdiff_t(values.shape(0)), std::ptrdiff_t(values.shape(1)),
                          std::ptrdiff_t(values.shape(2)), std::ptrdiff_t(first), std::ptrdiff_t(last), factor,
                          out.data() + place, std::ptrdiff_t(out.shape(3))};
    nb::gil_scoped_release released;
    kernel.curvatures(n);
}

void eigenvalues(In<float, 2> entries, Out<float, 2> out, std::size_t place, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(entries.shape(0) == 6 && out.shape(0) == entries.shape(1), "entries must be (6, tensor), out (tensor, number)");
    demand(place + 3 <= out.shape(1), "three numbers of out must lie from place on");
    const Tensors t{entries.data(), std::ptrdiff_t(entries.shape(1)), out.data() + place, std::ptrdiff_t(out.shape(1))};
    nb::gil_scoped_release released;
    kernel.eigenvalues_of_tensors(t);
}

// `tests` and `links` are the nodes: threshold; feature and lower child.
void sum_trees(In<float, 1> tests, In<std::int32_t, 2> links, In<std::int32_t, 1> roots, In<double, 2> shares,
               In<float, 2> features, Out<double, 2> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::size_t count = tests.shape(0);
    demand(links.shape(0) == count && links.shape(1) == 2 && shares.shape(0) == count, "nodes must be as many everywhere");
    demand(out.shape(0) == features.shape(0) && out.shape(1) == shares.shape(1), "out must be (voxel, class)");
    std::vector<TreeNode> nodes(count);
    for (std::size_t k = 0; k < count; ++k) {
        nodes[k] = {tests.data()[k], links.data()[2 * k], links.data()[2 * k + 1]};
        demand(nodes[k].feature >= 0 && std::size_t(nodes[k].feature) < features.shape(1), "a feature is none of a voxel's");
        const bool leaf = nodes[k].lower == std::int32_t(k);
        demand(leaf ? nodes[k].threshold == std::numeric_limits<float>::infinity()
                    : nodes[k].lower > std::int32_t(k) && std::size_t(nodes[k].lower) + 1 < count,
               "a node must lead to two later ones, or be a leaf");
    }
    for (std::size_t k = 0; k < roots.shape(0); ++k)
        demand(roots.data()[k] >= 0 && std::size_t(roots.data()[k]) < count, "a root must be a node");
    const Trees t{nodes.data(), roots.data(), shares.data(), int(roots.shape(0)), int(shares.shape(1)), features.data(),
                  std::ptrdiff_t(features.shape(0)), std::ptrdiff_t(features.shape(1)), out.data()};
    nb::gil_scoped_release released;
    kernel.sum_trees(t);
}

void ball_tables(Out<std::int32_t, 2> covered, Out<std::int32_t, 1> widest, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::size_t length = widest.shape(0);
    demand(length > 0 && length <= (std::size_t(1) << 24) && covered.shape(0) == 3 && covered.shape(1) == length,
           "covered must be (3, most + 1) and widest (most + 1,)");
    nb::gil_scoped_release released;
    kernel.ball_tables(std::int32_t(length - 1), covered.data(), widest.data());
}

// The planes first to last - 1. No square may be above `most`.
void thickness_ridge(In<float, 3> squares, In<std::int32_t, 2> covered, Out<std::uint8_t, 3> ridge, std::size_t first,
                     std::size_t last, const std::string& level) {
    const Kernels& kernel = kernels(level);
    for (int axis = 0; axis < 3; ++axis)
        demand(squares.shape(axis) == ridge.shape(axis), "ridge must be as large as squares");
    demand(covered.shape(0) == 3 && covered.shape(1) > 0, "covered must be (3, most + 1)");
    demand(first <= last && last <= squares.shape(0), "first and last must be planes");
    const std::int32_t most = std::int32_t(covered.shape(1) - 1);
    const std::size_t plane = squares.shape(1) * squares.shape(2);
    const ThicknessRidge r{squares.data(), std::ptrdiff_t(squares.shape(0)), std::ptrdiff_t(squares.shape(1)),
                           std::ptrdiff_t(squares.shape(2)), most, covered.data(), ridge.data()};
    nb::gil_scoped_release released;
    for (std::size_t k = first * plane; k < last * plane; ++k)
        demand(squares.data()[k] >= 0 && squares.data()[k] <= float(most), "squares must be from 0 to most");
    kernel.thickness_ridge(r, std::ptrdiff_t(first), std::ptrdiff_t(last));
}

// Into the planes first to last - 1 of `out`.
void thickness_paint(In<std::int64_t, 1> places, In<std::int32_t, 1> squares, In<float, 1> values,
                     In<std::int32_t, 1> widest, Out<float, 3> out, std::size_t first, std::size_t last,
                     const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::size_t count = places.shape(0);
    demand(squares.shape(0) == count && values.shape(0) == count, "places, squares and values must be (ball,)");
    demand(first <= last && last <= out.shape(0), "first and last must be planes of out");
    const ThicknessPaint p{places.data(), squares.data(), values.data(), std::ptrdiff_t(count), widest.data(),
                           std::ptrdiff_t(out.shape(1)), std::ptrdiff_t(out.shape(2)), out.data()};
    nb::gil_scoped_release released;
    for (std::size_t k = 0; k < count; ++k)
        demand(places.data()[k] >= 0 && std::size_t(places.data()[k]) < out.size() && squares.data()[k] > 0 &&
                   std::size_t(squares.data()[k]) < widest.shape(0),
               "places must lie in out, and squares be from 1 to most");
    kernel.thickness_paint(p, std::ptrdiff_t(first), std::ptrdiff_t(last));
}

// Of plane z; `up` begins with plane `first`.
void watershed_ascent(In<float, 3> squares, std::size_t first, Out<std::uint8_t, 3> up, std::size_t z, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(up.shape(1) == squares.shape(1) && up.shape(2) == squares.shape(2), "up must have the planes of squares");
    demand(z < squares.shape(0) && z >= first && z - first < up.shape(0), "z must be a plane of squares and of up");
    const Ascent a{squares.data(), std::ptrdiff_t(squares.shape(0)), std::ptrdiff_t(squares.shape(1)),
                   std::ptrdiff_t(squares.shape(2)), std::ptrdiff_t(first), up.data()};
    nb::gil_scoped_release released;
    kernel.watershed_ascent(a, std::ptrdiff_t(z));
}

std::int32_t watershed_basins(In<float, 3> squares, In<std::uint8_t, 3> up, Out<std::int32_t, 3> labels,
                              const std::string& level) {
    const Kernels& kernel = kernels(level);
    for (int axis = 0; axis < 3; ++axis)
        demand(squares.shape(axis) == up.shape(axis) && squares.shape(axis) == labels.shape(axis),
               "up and labels must be as large as squares");
    demand(squares.size() < std::size_t(std::numeric_limits<std::int32_t>::max()), "there must be fewer than 2^31 - 1 voxels");
    const Basins b{squares.data(), up.data(), std::ptrdiff_t(squares.shape(0)), std::ptrdiff_t(squares.shape(1)),
                   std::ptrdiff_t(squares.shape(2)), labels.data()};
    nb::gil_scoped_release released;
    for (std::size_t k = 0; k < up.size(); ++k) demand(up.data()[k] <= 27, "up must be 0 to 27");
    return kernel.watershed_basins(b);
}

// Numbers of the basins and the height of the saddle, of each pair that has one.
nb::tuple watershed_saddles(In<float, 3> squares, In<std::int32_t, 3> labels) {
    for (int axis = 0; axis < 3; ++axis)
        demand(squares.shape(axis) == labels.shape(axis), "labels must be as large as squares");
    Saddles found;
    {
        nb::gil_scoped_release released;
        find_saddles(squares.data(), labels.data(), std::ptrdiff_t(squares.shape(0)), std::ptrdiff_t(squares.shape(1)),
                     std::ptrdiff_t(squares.shape(2)), found);
    }
    std::unique_ptr<std::int32_t[]> pairs(new std::int32_t[2 * found.size()]);
    std::unique_ptr<float[]> heights(new float[found.size()]);
    for (std::size_t k = 0; k < found.size(); ++k) {
        pairs[2 * k] = found.lower(k);
        pairs[2 * k + 1] = found.upper(k);
        heights[k] = found.height(k);
    }
    const std::size_t count = found.size(), shape[2] = {count, 2};
    std::int32_t* const all_pairs = pairs.get();
    float* const all_heights = heights.get();
    const nb::capsule own_pairs(pairs.release(), [](void* p) noexcept { delete[] static_cast<std::int32_t*>(p); });
    const nb::capsule own_heights(heights.release(), [](void* p) noexcept { delete[] static_cast<float*>(p); });
    return nb::make_tuple(nb::ndarray<nb::numpy, std::int32_t>(all_pairs, 2, shape, own_pairs),
                          nb::ndarray<nb::numpy, float>(all_heights, 1, &count, own_heights));
}

void watershed_merge(In<float, 1> peaks, In<std::int32_t, 1> lower, In<std::int32_t, 1> upper, In<float, 1> heights,
                     double least, Out<std::int32_t, 1> roots) {
    const std::size_t count = peaks.shape(0), saddles = heights.shape(0);
    demand(roots.shape(0) == count && count < std::size_t(std::numeric_limits<std::int32_t>::max()),
           "roots must be (basin,), of fewer than 2^31 - 1");
    demand(lower.shape(0) == saddles && upper.shape(0) == saddles, "lower, upper and heights must be (saddle,)");
    nb::gil_scoped_release released;
    for (std::size_t k = 0; k < saddles; ++k)
        demand(lower.data()[k] >= 0 && upper.data()[k] >= 0 && std::size_t(lower.data()[k]) < count &&
                   std::size_t(upper.data()[k]) < count,
               "lower and upper must be numbers of basins");
    merge_basins(peaks.data(), count, lower.data(), upper.data(), heights.data(), saddles, least, roots.data());
}

void unpack_bitshuffle_lz4(In<std::uint8_t, 1> packed, std::uint64_t unpacked_bytes, int element,
                           std::uint64_t first, Out<std::uint8_t, 1> out, const std::string& level) {
    const Kernels& kernel = kernels(level);
    demand(element == 1 || element == 2 || element == 4 || element == 8, "an element must have 1, 2, 4 or 8 bytes");
    demand(first <= unpacked_bytes && out.shape(0) <= unpacked_bytes - first, "the part must lie in the chunk");
    BitshuffledChunk c{packed.data(), packed.shape(0), unpacked_bytes, element,
                       first,         out.shape(0),    out.data(),     nullptr};
    nb::gil_scoped_release released;
    const std::unique_ptr<std::uint8_t[]> scratch(new std::uint8_t[bitshuffle_scratch_bytes(c)]);
    c.scratch = scratch.get();
    if (!kernel.bitshuffle_lz4(c))
        throw std::invalid_argument("the bytes are not a chunk packed by bitshuffle and LZ4");
}

// None where this level has no such kernel, or the chunk is not of whole blocks.
nb::object blosc_lz4(nb::ndarray<nb::ro, nb::ndim<3>, nb::device::cpu> chunk, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::ptrdiff_t element = std::ptrdiff_t(chunk.itemsize()), bytes = std::ptrdiff_t(chunk.size()) * element;
    if (bytes == 0 || bytes % (BLOSC_STREAM * element) || bytes > std::numeric_limits<std::int32_t>::max() / 2 || chunk.stride(2) != 1)
        return nb::none();
    BloscChunk c{chunk.data(), {}, {std::ptrdiff_t(chunk.stride(0)), std::ptrdiff_t(chunk.stride(1))}, int(element), nullptr, nullptr};
    for (int axis = 0; axis < 3; ++axis) c.shape[axis] = std::ptrdiff_t(chunk.shape(axis));
    const Scratch packed(std::size_t(BLOSC_STREAM * (element + 1) + blosc_room(bytes)) / (LANES * sizeof(float)) + 1);
    c.scratch = reinterpret_cast<std::uint8_t*>(packed.get());
    c.out = c.scratch + BLOSC_STREAM * (element + 1);
    std::ptrdiff_t length;
    {
        nb::gil_scoped_release released;
        length = kernel.blosc_pack(c);
    }
    if (!length) return nb::none();
    return nb::bytes(c.out, std::size_t(length));
}

// Packs the chunks along the rows of a block, each at its own place of `out`, its checksum behind it; `lengths` is 0 of
// zeros. False where this level has no such kernel, or the chunks are not of whole blocks.
bool blosc_lz4_chunks(nb::ndarray<nb::ro, nb::ndim<3>, nb::device::cpu> block, std::size_t columns, Out<std::uint8_t, 2> out,
                      Out<std::int64_t, 1> lengths, const std::string& level) {
    const Kernels& kernel = kernels(level);
    const std::ptrdiff_t element = std::ptrdiff_t(block.itemsize()), count = std::ptrdiff_t(lengths.shape(0));
    demand(columns > 0 && block.shape(2) == columns * lengths.shape(0), "block must hold a whole chunk for each length");
    const std::ptrdiff_t bytes = std::ptrdiff_t(block.shape(0) * block.shape(1) * columns) * element;
    if (bytes == 0 || bytes % (BLOSC_STREAM * element) || bytes > std::numeric_limits<std::int32_t>::max() / 2 || block.stride(2) != 1)
        return false;
    const std::ptrdiff_t place = std::ptrdiff_t(out.shape(1));
    demand(out.shape(0) >= lengths.shape(0) && place >= blosc_room(bytes) + CHECKSUM_BYTES, "out must have room for each chunk");
    BloscChunk c{block.data(), {std::ptrdiff_t(block.shape(0)), std::ptrdiff_t(block.shape(1)), std::ptrdiff_t(columns)},
                 {std::ptrdiff_t(block.stride(0)), std::ptrdiff_t(block.stride(1))}, int(element), out.data(), nullptr};
    nb::gil_scoped_release released;
    const Scratch scratch(std::size_t(BLOSC_STREAM * (element + 1)) / (LANES * sizeof(float)) + 1);
    c.scratch = reinterpret_cast<std::uint8_t*>(scratch.get());
    for (std::ptrdiff_t k = 0; k < count; ++k) {
        const std::ptrdiff_t length = kernel.blosc_pack_checked(c);
        if (!length) return false;
        lengths.data()[k] = length == ZERO_CHUNK ? 0 : length;
        c.data = static_cast<const std::uint8_t*>(c.data) + std::ptrdiff_t(columns) * element;
        c.out += place;
    }
    return true;
}

} // namespace

NB_MODULE(_native, m) {
    m.doc() = "Compiled kernels of tomarium.";
    m.def("levels", levels, "Instruction-set levels this processor runs, best first.");
    m.attr("TAPS") = TAPS;
    m.def("openmp", [] {
#ifdef _OPENMP
        return true;
#else
        return false;
#endif
    }, "Whether the kernels were compiled with OpenMP.");
    m.def("release_scratch", [] { return shelf().clear(); },
          "Give back the memory that calls left for the next ones; returns how many bytes that were.");
    // Arrays are taken as they are or refused: a converted copy would be a silent cost, and `out` would be lost.
    m.def("gridding", gridding, "sinogram"_a.noconvert(), "order"_a.noconvert(), "directions"_a.noconvert(),
          "response"_a.noconvert(), "extend_edges"_a, "block"_a, "far"_a.noconvert(),
          "far_ranges"_a.noconvert(), "far_spectrum"_a.noconvert(), "row_offsets"_a.noconvert(), "size"_a, "region"_a, "grid"_a,
          "polynomial"_a.noconvert(), "correction"_a.noconvert(), "scale"_a, "out"_a.noconvert(), "threads"_a,
          "level"_a);
    m.def("backproject", backproject, "filtered"_a.noconvert(), "directions"_a.noconvert(), "size"_a,
          "region"_a, "out"_a.noconvert(), "threads"_a, "level"_a);
    def_normalise<std::uint16_t>(m);
    def_normalise<float>(m);
    def_quantise<float, std::uint8_t>(m);
    def_quantise<float, std::uint16_t>(m);
    def_quantise<double, std::uint8_t>(m);
    def_quantise<double, std::uint16_t>(m);
    def_mend_spikes<std::uint16_t>(m);
    def_mend_spikes<float>(m);
    m.def("sort_stripes", sort_stripes, "sinograms"_a.noconvert(), "size"_a, "strength"_a, "out"_a.noconvert(), "means"_a.noconvert(), "kept_from"_a, "kept_to"_a,
          "threads"_a, "level"_a);
    m.def("difference_medians", difference_medians, "sinogram"_a.noconvert(), "out"_a.noconvert(), "level"_a);
    m.def("to_groups", to_groups, "sinogram"_a.noconvert(), "groups"_a.noconvert(), "level"_a);
    m.def("from_groups", from_groups, "groups"_a.noconvert(), "removed"_a.noconvert(), "share"_a.noconvert(),
          "constant"_a.noconvert(), "out"_a.noconvert(), "level"_a);
    m.def("group_figures", group_figures, "groups"_a.noconvert(), "medians"_a.noconvert(), "means"_a.noconvert(),
          "more_means"_a.noconvert(), "level"_a);
    m.def("sort_groups", sort_groups, "groups"_a.noconvert(), "size"_a, "removed"_a.noconvert(), "means"_a.noconvert(),
          "more_means"_a.noconvert(), "level"_a);
    m.def("running_medians", running_medians, "values"_a.noconvert(), "size"_a, "out"_a.noconvert(), "level"_a);
    m.attr("LANES") = LANES;
    m.def("add_shadows", add_shadows, "table"_a.noconvert(), "z"_a.noconvert(), "u"_a.noconvert(),
          "out"_a.noconvert(), "level"_a);
    def_statistics<float>(m);
    def_statistics<std::uint16_t>(m);
    def_statistics<std::uint8_t>(m);
    def_halve<float>(m);
    def_halve<std::uint16_t>(m);
    def_halve<std::uint8_t>(m);
    m.def("search_shifts", search_shifts, "field"_a.noconvert(), "offsets"_a.noconvert(), "ends"_a.noconvert(),
          "n_log_n"_a.noconvert(), "least"_a, "out"_a.noconvert(), "level"_a);
    m.def("distance", distance, "body"_a.noconvert(), "spacing"_a, "reach"_a, "less"_a.noconvert().none(), "squared"_a,
          "out"_a.noconvert(), "along_z"_a, "first"_a, "last"_a, "level"_a);
    m.def("curvatures", curvatures, "values"_a.noconvert(), "first"_a, "last"_a, "factor"_a, "out"_a.noconvert(), "place"_a,
          "level"_a);
    m.def("eigenvalues", eigenvalues, "entries"_a.noconvert(), "out"_a.noconvert(), "place"_a, "level"_a);
    m.def("sum_trees", sum_trees, "tests"_a.noconvert(), "links"_a.noconvert(), "roots"_a.noconvert(), "shares"_a.noconvert(),
          "features"_a.noconvert(), "out"_a.noconvert(), "level"_a);
    m.def("ball_tables", ball_tables, "covered"_a.noconvert(), "widest"_a.noconvert(), "level"_a);
    m.def("thickness_ridge", thickness_ridge, "squares"_a.noconvert(), "covered"_a.noconvert(), "ridge"_a.noconvert(),
          "first"_a, "last"_a, "level"_a);
    m.def("thickness_paint", thickness_paint, "places"_a.noconvert(), "squares"_a.noconvert(), "values"_a.noconvert(),
          "widest"_a.noconvert(), "out"_a.noconvert(), "first"_a, "last"_a, "level"_a);
    m.def("watershed_ascent", watershed_ascent, "squares"_a.noconvert(), "first"_a, "up"_a.noconvert(), "z"_a, "level"_a);
    m.def("watershed_basins", watershed_basins, "squares"_a.noconvert(), "up"_a.noconvert(), "labels"_a.noconvert(), "level"_a);
    m.def("watershed_saddles", watershed_saddles, "squares"_a.noconvert(), "labels"_a.noconvert());
    m.def("watershed_merge", watershed_merge, "peaks"_a.noconvert(), "lower"_a.noconvert(), "upper"_a.noconvert(),
          "heights"_a.noconvert(), "least"_a, "roots"_a.noconvert());
    m.def("blosc_lz4", blosc_lz4, "chunk"_a.noconvert(), "level"_a);
    m.def("blosc_lz4_chunks", blosc_lz4_chunks, "block"_a.noconvert(), "columns"_a, "out"_a.noconvert(), "lengths"_a.noconvert(),
          "level"_a);
    m.def("blosc_room", [](std::ptrdiff_t bytes) { return blosc_room(bytes) + CHECKSUM_BYTES; }, "bytes"_a,
          "Most bytes that a chunk of so many takes when it is packed, with its checksum.");
    m.def("bitshuffle_lz4", unpack_bitshuffle_lz4, "packed"_a.noconvert(), "unpacked_bytes"_a, "element"_a, "first"_a, "out"_a.noconvert(), "level"_a);
}
