/* Models are from strangers. Run: build/libfuzzer/fuzz/onnx tests/fuzz/corpus/onnx */
#include "../netsize.h"
#include "onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    struct net *net = onnx_parse(data, size, &e);
    if (!net && !e.what[0])
        __builtin_trap();
    if (net && (net_multiplies(net) < 0 || net_outputs(net) < 1))
        __builtin_trap();
    net_free(net);
    return 0;
}
