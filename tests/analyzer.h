/* What GCC's analyzer cannot see from one file: err_set and err_errno always return -1. */
#include "base/err.h"

#define err_because(...) ((err_because)(__VA_ARGS__), -1)
