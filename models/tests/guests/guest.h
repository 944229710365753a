/* Support for guests in C: an allocator and MessagePack, without a library. */
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

extern uint8_t __heap_base;
static uint8_t *top = &__heap_base;

/* Never frees: each call has its own instance. */
static inline uint8_t *room(uint32_t len) {
    uintptr_t start = ((uintptr_t)top + 7) & ~(uintptr_t)7;
    uintptr_t end = start + len;
    uintptr_t have = (uintptr_t)__builtin_wasm_memory_size(0) << 16;
    if (end < start) return NULL;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 0xffff) >> 16) == (size_t)-1) return NULL;
    top = (uint8_t *)end;
    return (uint8_t *)start;
}

static inline void copy(uint8_t *to, const uint8_t *from, uint32_t len) {
    for (uint32_t i = 0; i < len; i++) to[i] = from[i];
}

/* An output: where it is, how long it is, and whether it is the text of an error. */
typedef struct {
    const uint8_t *at;
    uint32_t len;
    int failed;
} Output;

static inline Output failure(const char *text) {
    uint32_t len = 0;
    while (text[len]) len++;
    return (Output){(const uint8_t *)text, len, 1};
}

/* The plain ABI: both in one number, the highest bit of the length for an error. */
static inline uint64_t packed(Output output) {
    uint32_t len = output.len | (output.failed ? 0x80000000u : 0);
    return (uint64_t)(uintptr_t)output.at << 32 | len;
}

/* A reader of MessagePack that stops at the first thing it does not expect. */
typedef struct {
    const uint8_t *at, *end;
    int bad;
} Reader;

static inline uint64_t big_endian(Reader *in, int bytes) {
    uint64_t value = 0;
    if (in->end - in->at < bytes) {
        in->bad = 1;
        return 0;
    }
    while (bytes--) value = value << 8 | *in->at++;
    return value;
}

static inline uint32_t read_array(Reader *in) {
    uint8_t mark = (uint8_t)big_endian(in, 1);
    if ((mark & 0xf0) == 0x90) return mark & 0x0f;
    if (mark == 0xdc) return (uint32_t)big_endian(in, 2);
    if (mark == 0xdd) return (uint32_t)big_endian(in, 4);
    in->bad = 1;
    return 0;
}

static inline double read_number(Reader *in) {
    union { uint64_t bits; double value; } f64;
    union { uint32_t bits; float value; } f32;
    uint8_t mark = (uint8_t)big_endian(in, 1);
    if (mark < 0x80) return mark;
    if (mark >= 0xe0) return (int8_t)mark;
    switch (mark) {
    case 0xca: f32.bits = (uint32_t)big_endian(in, 4); return f32.value;
    case 0xcb: f64.bits = big_endian(in, 8); return f64.value;
    case 0xcc: return (double)big_endian(in, 1);
    case 0xcd: return (double)big_endian(in, 2);
    case 0xce: return (double)big_endian(in, 4);
    case 0xcf: return (double)big_endian(in, 8);
    case 0xd0: return (int8_t)big_endian(in, 1);
    case 0xd1: return (int16_t)big_endian(in, 2);
    case 0xd2: return (int32_t)big_endian(in, 4);
    case 0xd3: return (double)(int64_t)big_endian(in, 8);
    }
    in->bad = 1;
    return 0;
}

static inline uint8_t *write_big_endian(uint8_t *out, uint64_t value, int bytes) {
    while (bytes--) *out++ = (uint8_t)(value >> (8 * bytes));
    return out;
}

static inline uint8_t *write_array(uint8_t *out, uint32_t len) {
    *out++ = 0xdd;
    return write_big_endian(out, len, 4);
}

static inline uint8_t *write_number(uint8_t *out, double value) {
    union { uint64_t bits; double value; } f64 = {.value = value};
    *out++ = 0xcb;
    return write_big_endian(out, f64.bits, 8);
}
