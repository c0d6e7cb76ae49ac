/* What GCC's analyzer cannot see from one file: err_set and err_errno always return -1. */
#include "base/err.h"

#define err_set(...) ((err_set)(__VA_ARGS__), -1)
#define err_errno(...) ((err_errno)(__VA_ARGS__), -1)
