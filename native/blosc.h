// SPDX-License-Identifier: BSD-3-Clause
// Chunks packed as Blosc 1 packs them, with bits shuffled and LZ4.
//
// Format (c-blosc, README_CHUNK_FORMAT): 16 bytes of header; the place of each block as little-endian 32 bits; each
// block as one stream for each byte of an element, a stream being its size in 32 bits and as many bytes, LZ4 where that
// is smaller. In a block the bits are transposed: 8 rows of bits for each byte of an element, the lowest bit first.
//
// The lower bits of noisy numbers do not shrink. Rather than let LZ4 look through them all, rows are tried: those of a
// stream before the first that shrinks are laid down as they are.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int LZ4_HASH_BITS = 12;
constexpr std::ptrdiff_t LZ4_LAST_LITERALS = 5; // bytes at the end that no match reaches
constexpr std::ptrdiff_t LZ4_NO_MATCH = 12;     // bytes at the end in which none begins
constexpr std::ptrdiff_t LZ4_FARTHEST = 65535;
constexpr std::ptrdiff_t BLOSC_TRIED = 1024;  // bytes of a row of bits that are tried

static inline std::uint32_t four_bytes(const std::uint8_t* at) {
    std::uint32_t value;
    __builtin_memcpy(&value, at, 4);
    return value;
}
static inline void put_four(std::uint8_t* at, std::uint32_t value) { __builtin_memcpy(at, &value, 4); }

// Equal bytes from two places on, before `end`.
static inline std::ptrdiff_t equal_bytes(const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* end) {
    const std::uint8_t* const start = a;
    while (a + 8 <= end) {
        std::uint64_t x, y;
        __builtin_memcpy(&x, a, 8);
        __builtin_memcpy(&y, b, 8);
        if (x != y) return a - start + __builtin_ctzll(x ^ y) / 8;
        a += 8;
        b += 8;
    }
    while (a < end && *a == *b) ++a, ++b;
    return a - start;
}

static inline std::uint8_t* put_length(std::uint8_t* out, std::ptrdiff_t beyond) {
    for (; beyond >= 255; beyond -= 255) *out++ = 255;
    *out++ = std::uint8_t(beyond);
    return out;
}

// Packs into at most `room` bytes; 0 where they do not suffice. The first `plain` bytes are not looked at.
// Greedy: the last place that four bytes were seen at is where a match is looked for; steps grow where there is none.
static std::ptrdiff_t lz4_pack(const std::uint8_t* in, std::ptrdiff_t plain, std::ptrdiff_t bytes, std::uint8_t* out,
                               std::ptrdiff_t room) {
    std::uint16_t seen[1 << LZ4_HASH_BITS] = {}; // bytes is at most 65536
    const std::uint8_t *const end = in + bytes, *const limit = end - LZ4_LAST_LITERALS;
    const std::uint8_t *at = in, *anchor = in;
    std::uint8_t *to = out, *const to_end = out + room;
    std::ptrdiff_t misses = 1 << 6;
    if (bytes > LZ4_NO_MATCH) {
        const std::uint8_t* const last = end - LZ4_NO_MATCH;
        at += plain + 1; // an empty table tells of the first place
        while (at <= last) {
            const std::uint32_t here = four_bytes(at);
            std::uint16_t& place = seen[(here * 2654435761u) >> (32 - LZ4_HASH_BITS)];
            const std::uint8_t* from = in + place;
            place = std::uint16_t(at - in);
            if (four_bytes(from) != here || at - from > LZ4_FARTHEST) {
                at += misses++ >> 6;
                continue;
            }
            while (at > anchor && from > in && at[-1] == from[-1]) --at, --from;
            const std::ptrdiff_t literals = at - anchor, match = equal_bytes(at + 4, from + 4, limit);
            if (to_end - to < literals + literals / 255 + match / 255 + 6) return 0;
            std::uint8_t* const token = to++;
            *token = std::uint8_t(smaller(literals, std::ptrdiff_t(15)) << 4 | smaller(match, std::ptrdiff_t(15)));
            if (literals >= 15) to = put_length(to, literals - 15);
            __builtin_memcpy(to, anchor, std::size_t(literals));
            to += literals;
            const std::ptrdiff_t back = at - from;
            *to++ = std::uint8_t(back);
            *to++ = std::uint8_t(back >> 8);
            if (match >= 15) to = put_length(to, match - 15);
            anchor = at += 4 + match;
            misses = 1 << 6;
            if (at - 2 > in && at <= last)
                seen[(four_bytes(at - 2) * 2654435761u) >> (32 - LZ4_HASH_BITS)] = std::uint16_t(at - 2 - in);
        }
    }
    const std::ptrdiff_t literals = end - anchor;
    if (to_end - to < literals + literals / 255 + 2) return 0;
    *to++ = std::uint8_t(smaller(literals, std::ptrdiff_t(15)) << 4);
    if (literals >= 15) to = put_length(to, literals - 15);
    __builtin_memcpy(to, anchor, std::size_t(literals));
    return to + literals - out;
}

#if defined(__AVX2__)
// Writes the eight rows of bits of 32 or 64 bytes, each row `stride` bytes after the one before.
#if defined(__AVX512F__)
typedef std::uint64_t Bits;
static inline void put_bits(__m512i bytes, std::uint8_t* out, std::ptrdiff_t stride) {
    for (int bit = 7; bit >= 0; --bit) {
        const Bits row = _mm512_movepi8_mask(bytes);
        __builtin_memcpy(out + bit * stride, &row, sizeof row);
        bytes = _mm512_add_epi8(bytes, bytes);
    }
}
static inline __m512i byte_of(const std::uint32_t* in, int byte) { // of 64 elements
    __m128i part[4];
    for (int k = 0; k < 4; ++k)
        part[k] = _mm512_cvtepi32_epi8(_mm512_srl_epi32(_mm512_loadu_si512(in + 16 * k), _mm_cvtsi32_si128(8 * byte)));
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(part[0]), part[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(part[2]), part[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
static inline __m512i byte_of(const std::uint16_t* in, int byte) {
    const __m128i shift = _mm_cvtsi32_si128(8 * byte);
    const __m256i low = _mm512_cvtepi16_epi8(_mm512_srl_epi16(_mm512_loadu_si512(in), shift));
    const __m256i high = _mm512_cvtepi16_epi8(_mm512_srl_epi16(_mm512_loadu_si512(in + 32), shift));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
static inline __m512i byte_of(const std::uint8_t* in, int) { return _mm512_loadu_si512(in); }
#else
typedef std::uint32_t Bits;
static inline void put_bits(__m256i bytes, std::uint8_t* out, std::ptrdiff_t stride) {
    for (int bit = 7; bit >= 0; --bit) {
        const Bits row = Bits(_mm256_movemask_epi8(bytes));
        __builtin_memcpy(out + bit * stride, &row, sizeof row);
        bytes = _mm256_add_epi8(bytes, bytes);
    }
}
static inline __m256i loaded(const void* in) { return _mm256_loadu_si256(static_cast<const __m256i*>(in)); }
// Two registers of words below 256 as one of bytes, in order.
static inline __m256i words_joined(__m256i a, __m256i b) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
}
static inline __m256i byte_of(const std::uint16_t* in, int byte) { // of 32 elements
    const __m128i shift = _mm_cvtsi32_si128(8 * byte);
    const __m256i low = _mm256_set1_epi16(0xff);
    return words_joined(_mm256_and_si256(_mm256_srl_epi16(loaded(in), shift), low),
                        _mm256_and_si256(_mm256_srl_epi16(loaded(in + 16), shift), low));
}
static inline __m256i byte_of(const std::uint32_t* in, int byte) {
    const __m128i shift = _mm_cvtsi32_si128(8 * byte);
    __m256i part[4];
    for (int k = 0; k < 4; ++k)
        part[k] = _mm256_and_si256(_mm256_srl_epi32(loaded(in + 8 * k), shift), _mm256_set1_epi32(0xff));
    const __m256i a = _mm256_permute4x64_epi64(_mm256_packus_epi32(part[0], part[1]), 0xd8);
    const __m256i b = _mm256_permute4x64_epi64(_mm256_packus_epi32(part[2], part[3]), 0xd8);
    return words_joined(a, b);
}
static inline __m256i byte_of(const std::uint8_t* in, int) { return loaded(in); }
#endif

// Elements of a whole block, from rows of a part of an array, in the order of the chunk.
template <class Element> struct Elements {
    const BloscChunk& c;
    std::ptrdiff_t z = 0, y = 0, x = 0;

    void next(std::ptrdiff_t count, Element* out) {
        while (count) {
            const std::ptrdiff_t some = smaller(count, c.shape[2] - x);
            const Element* from = static_cast<const Element*>(c.data) + z * c.stride[0] + y * c.stride[1] + x;
            __builtin_memcpy(out, from, std::size_t(some) * sizeof(Element));
            out += some;
            count -= some;
            x += some;
            if (x == c.shape[2]) x = 0, ++y;
            if (y == c.shape[1]) y = 0, ++z;
        }
    }
};

// Whether a part of a row of bits becomes shorter by a 32nd at least.
static inline bool shrinks(const std::uint8_t* row) {
    std::uint8_t tried[BLOSC_TRIED];
    return lz4_pack(row, 0, BLOSC_TRIED, tried, BLOSC_TRIED - BLOSC_TRIED / 32) > 0;
}

// How many of a stream's eight rows, from that of the lowest bit on, are noise that the next row does not repeat.
static std::ptrdiff_t rows_that_stay(const std::uint8_t* rows) {
    constexpr std::ptrdiff_t ROW = BLOSC_STREAM / 8;
    for (std::ptrdiff_t first = 0; first < 8; ++first) {
        const std::uint8_t* tried = rows + first * ROW + ROW / 2;
        if (shrinks(tried)) return first;
        if (first < 7 && __builtin_memcmp(tried, tried + ROW, std::size_t(BLOSC_TRIED)) == 0) return first;
    }
    return 8;
}

// The rows of bits of one byte of all elements of a block.
template <class Element> static void put_stream(const Element* elements, int byte, std::uint8_t* stream) {
    constexpr std::ptrdiff_t ROW = BLOSC_STREAM / 8, SOME = 4096;
    alignas(64) std::uint8_t rows[SOME]; // those of a whole block lie a power of two apart, which caches do not like
    for (std::ptrdiff_t first = 0; first < BLOSC_STREAM; first += SOME) {
        for (std::ptrdiff_t k = 0; k < SOME; k += 8 * std::ptrdiff_t(sizeof(Bits)))
            put_bits(byte_of(elements + first + k, byte), rows + k / 8, SOME / 8);
        for (int bit = 0; bit < 8; ++bit)
            __builtin_memcpy(stream + bit * ROW + first / 8, rows + bit * (SOME / 8), std::size_t(SOME / 8));
    }
}

template <class Element> static std::ptrdiff_t blosc_pack_as(const BloscChunk& c) {
    constexpr std::ptrdiff_t SIZE = sizeof(Element), ROW = BLOSC_STREAM / 8;
    const std::ptrdiff_t bytes = c.shape[0] * c.shape[1] * c.shape[2] * SIZE, blocks = bytes / (BLOSC_STREAM * SIZE);
    Element* const elements = reinterpret_cast<Element*>(c.scratch);
    std::uint8_t* const shorter = c.scratch + BLOSC_STREAM * SIZE;
    Elements<Element> source{c};
    std::uint8_t* to = c.out + 16 + 4 * blocks;
    for (std::ptrdiff_t block = 0; block < blocks; ++block) {
        put_four(c.out + 16 + 4 * block, std::uint32_t(to - c.out));
        source.next(BLOSC_STREAM, elements);
        for (int byte = 0; byte < int(SIZE); ++byte) {
            std::uint8_t* const stream = to + 4;
            put_stream(elements, byte, stream); // where it stays unless it shrinks
            const std::ptrdiff_t plain = rows_that_stay(stream) * ROW;
            std::ptrdiff_t packed = 0;
            if (plain < BLOSC_STREAM) packed = lz4_pack(stream, plain, BLOSC_STREAM, shorter, BLOSC_STREAM - 1);
            if (packed) __builtin_memcpy(stream, shorter, std::size_t(packed));
            else packed = BLOSC_STREAM;
            put_four(to, std::uint32_t(packed));
            to += 4 + packed;
        }
    }
    const std::ptrdiff_t packed = to - c.out;
    const std::uint8_t head[4] = {2, 1, 0x20 | 0x04, std::uint8_t(SIZE)}; // versions; LZ4 of shuffled bits; size
    __builtin_memcpy(c.out, head, 4);
    put_four(c.out + 4, std::uint32_t(bytes));
    put_four(c.out + 8, std::uint32_t(BLOSC_STREAM * SIZE));
    put_four(c.out + 12, std::uint32_t(packed));
    return packed;
}
#endif

#if defined(__AVX2__)
static bool blosc_is_zero(const BloscChunk& c) {
    const std::ptrdiff_t row = c.shape[2] * c.element;
    for (std::ptrdiff_t z = 0; z < c.shape[0]; ++z)
        for (std::ptrdiff_t y = 0; y < c.shape[1]; ++y) {
            const std::uint8_t* at = static_cast<const std::uint8_t*>(c.data) + (z * c.stride[0] + y * c.stride[1]) * c.element;
            std::uint32_t any = 0;
            for (std::ptrdiff_t k = 0; k < row; ++k) any |= at[k];
            if (any) return false;
        }
    return true;
}

// Castagnoli's CRC of 32 bits, which the processor has an instruction for.
static std::uint32_t crc32c(const std::uint8_t* at, std::ptrdiff_t bytes) {
    std::uint64_t crc = 0xffffffff;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        std::uint64_t some;
        __builtin_memcpy(&some, at, 8);
        crc = _mm_crc32_u64(crc, some);
    }
    std::uint32_t rest = std::uint32_t(crc);
    for (; bytes > 0; --bytes) rest = _mm_crc32_u8(rest, *at++);
    return ~rest;
}
#endif

// Returns the bytes of the packed chunk; 0 where this level cannot make it.
static std::ptrdiff_t blosc_pack(const BloscChunk& c) {
#if defined(__AVX2__)
    if (c.element == 1) return blosc_pack_as<std::uint8_t>(c);
    if (c.element == 2) return blosc_pack_as<std::uint16_t>(c);
    if (c.element == 4) return blosc_pack_as<std::uint32_t>(c);
#endif
    return 0 * c.element;
}

// The same with its checksum behind it; a chunk of zeros is ZERO_CHUNK.
static std::ptrdiff_t blosc_pack_checked(const BloscChunk& c) {
#if defined(__AVX2__)
    if (blosc_is_zero(c)) return ZERO_CHUNK;
    const std::ptrdiff_t bytes = blosc_pack(c);
    if (bytes) put_four(c.out + bytes, crc32c(c.out, bytes));
    return bytes ? bytes + CHECKSUM_BYTES : 0;
#else
    return 0 * c.element;
#endif
}

} // namespace tomarium::TOMARIUM_LEVEL
