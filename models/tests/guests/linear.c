/* A linear model of the iris flowers: four measures in centimetres in, a score for each species out. It speaks
 * MessagePack. Built twice: for the plain ABI, and (-DCOMPONENT) as the core of a component. */
#include "guest.h"

/* Least squares on the 150 flowers; the native counterpart has the same numbers. */
static const double WEIGHTS[3][5] = {
    {0.06564305, 0.24247300, -0.22276138, -0.06335141, 0.12246954},
    {-0.02154464, -0.44070556, 0.21852137, -0.48319129, 1.56297692},
    {-0.04409841, 0.19823256, 0.00424001, 0.54654271, -0.68544646},
};

enum { SCORES = 5 + 3 * 9 };

static uint8_t *predict_row(Reader *in, uint8_t *out) {
    double x[4] = {0};
    if (read_array(in) != 4) in->bad = 1;
    for (int i = 0; i < 4 && !in->bad; i++) x[i] = read_number(in);
    out = write_array(out, 3);
    for (int k = 0; k < 3; k++) {
        double score = WEIGHTS[k][4];
        for (int i = 0; i < 4; i++) score += WEIGHTS[k][i] * x[i];
        out = write_number(out, score);
    }
    return out;
}

static Output predict(const uint8_t *at, uint32_t len) {
    Reader in = {at, at + len, 0};
    uint8_t *out = room(SCORES);
    if (!out) return failure("there is no room for the output");
    uint8_t *end = predict_row(&in, out);
    if (in.bad || in.at != in.end) return failure("expected four numbers");
    return (Output){out, (uint32_t)(end - out), 0};
}

#ifdef COMPONENT

EXPORT("cabi_realloc")
uint8_t *cabi_realloc(uint8_t *old, uint32_t old_len, uint32_t align, uint32_t len) {
    (void)align;
    uint8_t *fresh = room(len);
    if (!fresh) __builtin_trap();
    copy(fresh, old, old_len < len ? old_len : len);
    return fresh;
}

/* result<list<u8>, string> in the canonical ABI. */
static struct {
    uint32_t failed;
    const uint8_t *at;
    uint32_t len;
} result;

EXPORT("larder:guest/msgpack-model@1.0.0#predict")
void *component_predict(const uint8_t *at, uint32_t len) {
    Output output = predict(at, len);
    result.failed = (uint32_t)output.failed;
    result.at = output.at;
    result.len = output.len;
    return &result;
}

#else

EXPORT("larder_abi_1_msgpack")
void larder_abi_1_msgpack(void) {}

EXPORT("larder_alloc")
uint8_t *larder_alloc(uint32_t len) { return room(len); }

EXPORT("larder_predict")
uint64_t larder_predict(const uint8_t *at, uint32_t len) { return packed(predict(at, len)); }

EXPORT("larder_predict_batch")
uint64_t larder_predict_batch(const uint8_t *at, uint32_t len) {
    Reader in = {at, at + len, 0};
    uint32_t rows = read_array(&in);
    if (in.bad || rows > len) return packed(failure("expected an array of rows"));
    uint8_t *out = room(5 + rows * SCORES);
    if (!out) return packed(failure("there is no room for the output"));
    uint8_t *end = write_array(out, rows);
    while (rows-- && !in.bad) end = predict_row(&in, end);
    if (in.bad || in.at != in.end) return packed(failure("expected rows of four numbers"));
    return packed((Output){out, (uint32_t)(end - out), 0});
}

#endif
