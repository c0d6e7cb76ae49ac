# inkpipe: make, make test, make install. What one may set is in config.mk.
include config.mk

# The pattern of the tree: cmd/NAME.c is a program, lib/NAME.c a module, lib/kernel/kernel.c
# is compiled once for each instruction set. Objects and programs go under build/.
B = build
PROGRAMS = $(filter-out tool,$(patsubst cmd/%.c,%,$(wildcard cmd/*.c)))
ARCH := $(shell $(CC) -dumpmachine | cut -d- -f1)

LEVELS_x86_64 = portable avx2 avx512
LEVELS_aarch64 = portable neon
LEVELS = $(or $(LEVELS_$(ARCH)),portable)
FLAGS_avx2 = -mavx2 -mfma
FLAGS_avx512 = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512

WARN = -Wall -Wextra -Wpedantic
ALL_CFLAGS = -std=c11 $(WARN) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DPREFIX='"$(PREFIX)"' \
	-Ilib -I$(B)/gen -pthread -MMD -MP -ffp-contract=off $(CFLAGS)

# Libraries a module needs; a program is linked with those of the modules it uses.
LIBS_capture = -lavdevice -lavfilter -lavformat -lavcodec -lswscale -lavutil
LIBS_window = -lX11 -lXext
LIBS_base = -lnetpbm -lprotobuf-c -lz -lm
LIBS_camgrab = $(LIBS_capture)
LIBS_xcanvas = $(LIBS_window)
LIBS_xview = $(LIBS_window)

OBJ = $(patsubst lib/%.c,$(B)/lib/%.o,$(wildcard lib/*.c)) \
	$(LEVELS:%=$(B)/lib/kernel/kernel_%.o) $(B)/gen/onnx.pb-c.o

all: $(PROGRAMS:%=$(B)/%)

$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/cmd/%.o $(B)/cmd/tool.o $(B)/libinkpipe.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(LIBS_$*) $(LIBS_base)

$(B)/libinkpipe.a: $(OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/cmd/%.o: cmd/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/lib/kernel/kernel_%.o: lib/kernel/kernel.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -O3 -ffp-contract=fast -DLEVEL=$* $(FLAGS_$*) -c -o $@ $<

# The ONNX project's schema, as C.
ONNX_PROTO = /usr/include/onnx/onnx.proto
$(B)/gen/onnx.pb-c.c $(B)/gen/onnx.pb-c.h &: $(ONNX_PROTO)
	@mkdir -p $(@D)
	protoc-c --proto_path=$(dir $<) --c_out=$(B)/gen $<
$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(ALL_CFLAGS) -Wno-pedantic -c -o $@ $<
$(B)/lib/onnx.o: $(B)/gen/onnx.pb-c.h

# Unit tests: tests/unit/NAME.c is a program. Fuzz targets: tests/fuzz/NAME.c, built by clang.
UNIT = $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*.c))
unit: $(UNIT)
$(B)/unit/%: tests/unit/%.c $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libinkpipe.a $(LIBS_base)

FUZZ = $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
fuzz: $(FUZZ)
$(B)/fuzz/%: tests/fuzz/%.c $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(B)/libinkpipe.a $(LIBS_base)

clean:
	rm -rf $(B)

.PHONY: all unit fuzz clean
-include $(wildcard $(B)/*/*.d $(B)/lib/kernel/*.d)
