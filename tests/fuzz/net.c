/* The .net text is from strangers. Run: build/libfuzzer/fuzz/net tests/fuzz/corpus/net */
#include "../netsize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    struct net *net = net_parse((const char *)data, size, "fuzz.net", &e);
    if (!net && !e.what[0])
        __builtin_trap();
    if (net && net_multiplies(net) < 0)
        __builtin_trap();
    if (net && net_param_count(net) < 1 << 16) {
        struct net *copy = net_copy(net, &e);
        net_init(net, size);
        if (copy && net_param_count(copy) != net_param_count(net))
            __builtin_trap();
        net_free(copy);
    }
    net_free(net);
    return 0;
}
