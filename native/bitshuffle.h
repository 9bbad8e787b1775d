// SPDX-License-Identifier: BSD-3-Clause
// Chunks of HDF5 filter 32008 with LZ4: blocks of whole elements, each with its bits transposed and packed.
//
// Format (documentation of the bitshuffle filter): 8 bytes, big-endian, of unpacked size; 4 bytes of block size;
// then for each block 4 bytes of packed size and an LZ4 block. The last block may be shorter, in eights of
// elements; up to seven elements behind it are stored as they are. LZ4 block format: lz4_Block_format.md.
//
// The bytes are taken to be hostile: nothing is read beyond `in_end` or written beyond the block.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// A length of an LZ4 sequence goes on in further bytes after 15; false where the input ends first.
static inline bool lz4_length(const std::uint8_t*& in, const std::uint8_t* in_end, std::size_t& length) {
    std::uint8_t more = 255;
    while (more == 255) {
        if (in == in_end) return false;
        more = *in++;
        length += more;
    }
    return true;
}

// Unpacks exactly `bytes`; `out` has SLACK bytes of room behind them.
static inline bool lz4_unpack(const std::uint8_t* in, const std::uint8_t* in_end, std::uint8_t* const out,
                              std::size_t bytes) {
    std::size_t done = 0;
    while (in < in_end) {
        const std::uint8_t token = *in++;
        std::size_t literals = token >> 4;
        if (literals == 15 && !lz4_length(in, in_end, literals)) return false;
        if (literals > std::size_t(in_end - in) || literals > bytes - done) return false;
        if (literals <= 16 && in_end - in >= 16)
            __builtin_memcpy(out + done, in, 16);
        else
            __builtin_memcpy(out + done, in, literals);
        in += literals;
        done += literals;
        if (in == in_end) return done == bytes; // the last sequence has literals alone
        if (in_end - in < 2) return false;
        const std::size_t back = in[0] | std::size_t(in[1]) << 8;
        in += 2;
        std::size_t match = token & 15;
        if (match == 15 && !lz4_length(in, in_end, match)) return false;
        match += 4;
        if (back == 0 || back > done || match > bytes - done) return false;
        std::uint8_t* to = out + done;
        const std::uint8_t* from = to - back;
        if (back >= 16) {
            for (std::size_t k = 0; k < match; k += 16) __builtin_memcpy(to + k, from + k, 16);
        } else if (back == 1) {
            __builtin_memset(to, *from, match);
        } else {
            for (std::size_t k = 0; k < match; ++k) to[k] = from[k];
        }
        done += match;
    }
    return false;
}

// The transpose of an 8 x 8 matrix of bits, bit 8 i + j to bit 8 j + i, in three rounds of exchanges.
static inline std::uint64_t transposed(std::uint64_t x) {
    std::uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAull;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCull;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ull;
    return x ^ t ^ (t << 28);
}

template <class Element>
static inline void join(const std::uint8_t* bytes, std::ptrdiff_t count, std::uint8_t* out) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        Element value = 0;
        for (std::size_t k = 0; k < sizeof(Element); ++k) value |= Element(Element(bytes[std::ptrdiff_t(k) * count + i]) << 8 * k);
        __builtin_memcpy(out + i * std::ptrdiff_t(sizeof(Element)), &value, sizeof(Element));
    }
}

#if defined(__AVX512F__)
// The bytes of 64 elements from eight rows of bits, the lowest first.
static inline __m512i bytes_of_rows(const std::uint8_t* row, std::ptrdiff_t stride) {
    __m512i bytes = _mm512_setzero_si512();
    for (int bit = 0; bit < 8; ++bit) {
        std::uint64_t mask;
        __builtin_memcpy(&mask, row + bit * stride, sizeof mask);
        bytes = _mm512_mask_add_epi8(bytes, mask, bytes, _mm512_set1_epi8(char(1 << bit)));
    }
    return bytes;
}

// Elements of two bytes, as many sixty-fours as there are; returns how many eights these are.
static inline std::ptrdiff_t unshuffle_words(const std::uint8_t* in, std::ptrdiff_t eights, std::uint8_t* out) {
    // Quarters of a register are interleaved each by itself: what belongs together is brought into one before.
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    std::ptrdiff_t i = 0;
    for (; i + 8 <= eights; i += 8) {
        const __m512i low = _mm512_permutexvar_epi64(order, bytes_of_rows(in + i, eights));
        const __m512i high = _mm512_permutexvar_epi64(order, bytes_of_rows(in + 8 * eights + i, eights));
        _mm512_storeu_si512(out + 16 * i, _mm512_unpacklo_epi8(low, high));
        _mm512_storeu_si512(out + 16 * i + 64, _mm512_unpackhi_epi8(low, high));
    }
    return i;
}
#endif

// `count` elements, in eights, from `element` x 8 rows of bits; `planes` has room for them.
static inline void unshuffle(const std::uint8_t* in, std::ptrdiff_t count, int element, std::uint8_t* planes,
                             std::uint8_t* out) {
    const std::ptrdiff_t eights = count / 8;
#if defined(__AVX512F__)
    if (element == 2 && unshuffle_words(in, eights, out) == eights) return;
#endif
    for (int k = 0; k < element; ++k) {
        const std::uint8_t* row = in + k * count; // 8 rows of count / 8 bytes
        std::uint8_t* plane = element == 1 ? out : planes + k * count;
        for (std::ptrdiff_t i = 0; i < eights; ++i) {
            std::uint64_t bits = 0;
            for (int j = 0; j < 8; ++j) bits |= std::uint64_t(row[j * eights + i]) << 8 * j;
            bits = transposed(bits);
            __builtin_memcpy(plane + 8 * i, &bits, 8);
        }
    }
    if (element == 2) join<std::uint16_t>(planes, count, out);
    if (element == 4) join<std::uint32_t>(planes, count, out);
    if (element == 8) join<std::uint64_t>(planes, count, out);
}

// Bytes first ... first + bytes of the unpacked chunk; blocks that hold none of them are stepped over.
static bool bitshuffle_lz4(const BitshuffledChunk& c) {
    const std::uint8_t *in = c.packed, *const in_end = c.packed + c.packed_bytes;
    if (c.packed_bytes < 12) return false;
    const std::uint64_t total = big_endian(in, 8);
    const std::uint64_t block = big_endian(in + 8, 4);
    in += 12;
    const std::uint64_t eight = std::uint64_t(c.element) * 8;
    if (total != c.unpacked_bytes || block == 0 || block % eight) return false;
    const std::uint64_t room = bitshuffle_longest_block(c) + SLACK;
    std::uint8_t *const bits = c.scratch, *const planes = bits + room, *const whole = planes + room;
    const std::uint64_t last = c.first + c.bytes;
    std::uint64_t at = 0;
    while (total - at >= eight) {
        const std::uint64_t size = total - at >= block ? block : (total - at) / eight * eight;
        if (in_end - in < 4) return false;
        const std::uint64_t packed = big_endian(in, 4);
        in += 4;
        if (packed > std::uint64_t(in_end - in)) return false;
        const std::uint64_t low = at > c.first ? at : c.first, high = at + size < last ? at + size : last;
        if (low < high) {
            if (!lz4_unpack(in, in + packed, bits, size)) return false;
            const bool direct = high - low == size;
            std::uint8_t* const to = direct ? c.out + (at - c.first) : whole;
            unshuffle(bits, std::ptrdiff_t(size / c.element), c.element, planes, to);
            if (!direct) __builtin_memcpy(c.out + (low - c.first), whole + (low - at), high - low);
        }
        in += packed;
        at += size;
        if (at >= last) return true;
    }
    if (std::uint64_t(in_end - in) < total - at) return false;
    const std::uint64_t low = at > c.first ? at : c.first;
    if (low < last) __builtin_memcpy(c.out + (low - c.first), in + (low - at), last - low);
    return true;
}

} // namespace tomarium::TOMARIUM_LEVEL
