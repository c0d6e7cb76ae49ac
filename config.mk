# What a packager or a user sets. Everything can also be given on the command line: make CC=clang PREFIX=/usr
VERSION = 0.1.0
PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
ZSHDIR = $(PREFIX)/share/zsh/site-functions
DESTDIR =
CC = cc
AR = ar
LD = ld
OBJCOPY = objcopy
MPICC = mpicc
CFLAGS = -O2 -g
# What is added for loops over pixels and the network's inner loops.
LOOPS = -O3
LDFLAGS =

# Programs that read strangers' files give up what they do not need for it (lib/base/privilege.h), which on
# Linux takes libseccomp. Empty: they keep it.
SANDBOX = yes

# make sanitize: the same programs and tests under build/asan, watched; the fuzz targets in
# build/libfuzzer. (The unrolled kernels have their checks in calls: they compile in a quarter of the time.)
SANITIZE = -O1 -g -Wno-frame-larger-than -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE_KERNELS = -mllvm -asan-instrumentation-with-call-threshold=500

# The ONNX project's schema.
ONNX_PROTO = /usr/include/onnx/onnx.proto
