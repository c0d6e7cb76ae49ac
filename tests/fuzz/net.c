/* The .net text is from strangers. Run: build/fuzz/net tests/fuzz/corpus/net */
#include "net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    struct net *net = net_parse((const char *)data, size, "fuzz.net", &e);
    if (!net && !e.what[0])
        __builtin_trap();
    if (net && net_multiplies(net) < 0)
        __builtin_trap();
    net_free(net);
    return 0;
}
