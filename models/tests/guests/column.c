/* A serializer of an array of numbers: "COL1" and the numbers, little endian. */
#include "guest.h"

static const uint8_t MAGIC[4] = {'C', 'O', 'L', '1'};

EXPORT("larder_abi_1_msgpack")
void larder_abi_1_msgpack(void) {}

EXPORT("larder_alloc")
uint8_t *larder_alloc(uint32_t len) { return room(len); }

EXPORT("larder_encode")
uint64_t larder_encode(const uint8_t *at, uint32_t len) {
    Reader in = {at, at + len, 0};
    uint32_t rows = read_array(&in);
    if (in.bad || rows > len) return packed(failure("it is no array"));
    uint8_t *out = room(4 + 8 * rows), *end = out + 4;
    if (!out) return packed(failure("there is no room for the blob"));
    copy(out, MAGIC, 4);
    while (rows--) {
        union { uint64_t bits; double value; } f64 = {.value = read_number(&in)};
        for (int i = 0; i < 8; i++) *end++ = (uint8_t)(f64.bits >> (8 * i));
    }
    if (in.bad || in.at != in.end) return packed(failure("it holds something else than numbers"));
    return packed((Output){out, (uint32_t)(end - out), 0});
}

EXPORT("larder_decode")
uint64_t larder_decode(const uint8_t *at, uint32_t len) {
    if (len < 4 || (len - 4) % 8) return packed(failure("it is no column: its length cannot be"));
    for (int i = 0; i < 4; i++)
        if (at[i] != MAGIC[i]) return packed(failure("it is no column: it does not begin with COL1"));
    uint32_t rows = (len - 4) / 8;
    uint8_t *out = room(5 + 9 * rows);
    if (!out) return packed(failure("there is no room for the document"));
    uint8_t *end = write_array(out, rows);
    for (at += 4; rows--; at += 8) {
        union { uint64_t bits; double value; } f64 = {0};
        for (int i = 0; i < 8; i++) f64.bits |= (uint64_t)at[i] << (8 * i);
        end = write_number(end, f64.value);
    }
    return packed((Output){out, (uint32_t)(end - out), 0});
}
