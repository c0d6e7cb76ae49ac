# inkpipe: make, make test, make install. What one may set is in config.mk.
MAKEFLAGS += -rR # no rules but those below
include config.mk

# The tree's pattern: cmd/NAME.c is a program, lib/ROOM/NAME.c a module, lib/engine/kernel/kernel.c is compiled
# once for each level of instruction set; tests/unit/ROOM, tool, fuzz and bench hold programs too,
# one a file, and data those that draw what models are made of. Everything made goes under $(B).
B = build
PROGRAMS = $(filter-out tool,$(patsubst cmd/%.c,%,$(wildcard cmd/*.c)))
UNIT = $(patsubst %.c,$(B)/unit/%,$(notdir $(wildcard tests/unit/*/*.c))) $(patsubst tests/%.c,$(B)/%,$(wildcard tests/tool/*.c))
DRAW = $(addprefix $(B)/tool/,hands paper scenes truth turned views)
FUZZ = $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
CORPUS = $(FUZZ:$(B)/fuzz/%=$(B)/corpus/%)
LEVEL = $(addprefix $(B)/level/,cnn-predict cnn-train preproc)
BENCH = $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))

ARCH := $(shell $(CC) -dumpmachine | cut -d- -f1)
LEVELS_x86_64 = portable avx2 avx512
LEVELS_aarch64 = portable neon
LEVELS8_x86_64 = portable avx2 avx2vnni avx512vnni amx
LEVELS8_aarch64 = portable neondot
LEVELS = $(or $(LEVELS_$(ARCH)),portable)
FLAGS_avx2 = -mavx2 -mfma
FLAGS_avx512 = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
LEVELS8 = $(or $(LEVELS8_$(ARCH)),portable)
FLAGS_avx2vnni = $(FLAGS_avx2) -mavxvnni
FLAGS_avx512vnni = $(FLAGS_avx512) -mavx512vnni
FLAGS_amx = $(FLAGS_avx512vnni) -mamx-tile -mamx-int8
FLAGS_avx512bf16 = $(FLAGS_avx512) -mavx512bf16
LEVELS16_x86_64 = portable avx512bf16 amx
LEVELS16 = $(or $(LEVELS16_$(ARCH)),portable)
FLAGS_neondot = -march=armv8.2-a+dotprod
# (Where the kernels are is K: fuzz targets share those of $(B)/asan.)
K = $(B)
KERNELS8 = $(LEVELS8:%=$(K)/lib/engine/kernel/int8_%.o)
KERNELS16 = $(LEVELS16:%=$(K)/lib/engine/kernel/bf16_%.o)
KERNELS = $(LEVELS:%=$(K)/lib/engine/kernel/kernel_%.o)
# (The kernels first: one of them takes the compiler as long as all else takes the other CPU.)
OBJ = $(KERNELS) $(KERNELS8) $(KERNELS16) $(patsubst lib/%.c,$(B)/lib/%.o,$(sort $(wildcard lib/*.c lib/*/*.c)) lib/engine/ranks/alone.c) $(B)/gen/onnx.pb-c.o

WARN = -Wall -Wextra -Wpedantic
ALL_CFLAGS = -std=c11 $(WARN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION='"$(VERSION)"' \
	-Ilib -I$(B)/gen -pthread -MMD -MP -ffp-contract=off '-fdebug-prefix-map=$(CURDIR)=.' $(CFLAGS)
LIBS_camgrab = -lavdevice -lavfilter -lavformat -lavcodec -lswscale -lavutil -lX11
LIBS_inkpipe-read = $(LIBS_camgrab)
LIBS_xcanvas = -lX11 -lXext
LIBS_xcheck = -lX11 -lXext
# pthread_cancel wants libgcc_s, which cannot be opened any more once the sandbox is up.
LIBS_xview = -lX11 -lXext -Wl,--push-state,--no-as-needed -lgcc_s -Wl,--pop-state
LIBS_xclose = -lX11
LIBS_xshot = -lX11
LIBS_xchange = -lX11
LIBS_base = -lnetpbm -lprotobuf-c -lz -lm $(SECCOMP)
SECCOMP = $(if $(SANDBOX),$(if $(findstring Linux,$(shell uname)),-lseccomp))
LINK = $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(filter %.a,$^)

PUBLIC = $(B)/public/libinkpipe.a $(B)/public/libinkpipe.so.0 $(B)/public/inkpipe.pc
all: $(PROGRAMS:%=$(B)/%)
unit: $(UNIT) $(DRAW) $(CORPUS) $(LEVEL)
fuzz: $(FUZZ)

$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/cmd/%.o $(B)/cmd/tool.o $(B)/libinkpipe.a
	$(LINK) $(LIBS_$*) $(LIBS_base)

# Where mpicc is, cnn-train can also be one of several under mpirun.
ifneq ($(shell command -v $(MPICC)),)
$(B)/cnn-train: $(B)/lib/engine/ranks/mpi.o
$(B)/lib/engine/ranks/mpi.o: private ALL_CFLAGS += $(shell $(MPICC) --showme:compile)
LIBS_cnn-train := $(shell $(MPICC) --showme:link)
endif

$(B)/libinkpipe.a: $(OBJ)
	@rm -f $@
	$(AR) rcsD $@ $^

# The library that is installed (lib/inkpipe.h), of objects of its own, which may stand anywhere in
# memory. Of all names in it, those that begin with inkpipe_ can be seen.
library:
	$(MAKE) B=$(B)/pic CFLAGS='$(CFLAGS) -fPIC -fvisibility=hidden' public
public: $(PUBLIC)
$(B)/public/inkpipe.o: $(B)/lib/inkpipe.o $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(LD) -r -o $@ $^
	$(OBJCOPY) --wildcard --keep-global-symbol='inkpipe_*' $@
$(B)/public/libinkpipe.a: $(B)/public/inkpipe.o
	@rm -f $@
	$(AR) rcsD $@ $^
$(B)/public/libinkpipe.so.0: $(B)/lib/inkpipe.o $(B)/libinkpipe.a lib/inkpipe.map
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,-soname,libinkpipe.so.0 -Wl,--version-script=lib/inkpipe.map \
		-Wl,--as-needed $(LIBS_base)
$(B)/public/inkpipe.pc: lib/inkpipe.pc.in $(B)/flags
	@mkdir -p $(@D)
	sed 's,@PREFIX@,$(PREFIX),; s,@LIBDIR@,$(LIBDIR),; s,@VERSION@,$(VERSION),' $< >$@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# A thread has 128 KiB of stack where musl is the C library, or under ulimit -s 128.
$(OBJ): private WARN += -Wframe-larger-than=16384
$(B)/lib/base/privilege.o: private ALL_CFLAGS += $(if $(SANDBOX),-DSANDBOX)

# Loops over pixels that run in the shadow of the training.
$(B)/lib/learn/augment.o $(addprefix $(B)/lib/ink/,contrast.o cut.o normalise.o pyramid.o): private ALL_CFLAGS += $(LOOPS)
$(B)/lib/ink/contrast.o: private ALL_CFLAGS += -fno-math-errno

# (UBSan's checks in the unrolled loops would keep the compiler for an hour: ASan alone there.)
$(KERNELS) $(KERNELS8) $(KERNELS16): private ALL_CFLAGS += -fno-sanitize=undefined $(KERNEL_CFLAGS)
$(KERNELS): $(K)/lib/engine/kernel/kernel_%.o: lib/engine/kernel/kernel.c $(K)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LOOPS) -ffp-contract=fast -fno-math-errno -DLEVEL=$* $(FLAGS_$*) -c -o $@ $<

$(KERNELS8): $(K)/lib/engine/kernel/int8_%.o: lib/engine/kernel/int8.c $(K)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LOOPS) -fno-math-errno -DLEVEL=$* $(FLAGS_$*) -c -o $@ $<

$(K)/lib/engine/kernel/bf16_amx.o: private ALL_CFLAGS += -mavx512bf16 -mamx-bf16
$(KERNELS16): $(K)/lib/engine/kernel/bf16_%.o: lib/engine/kernel/bf16.c $(K)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LOOPS) -ffp-contract=fast -fno-math-errno -DLEVEL=$* $(FLAGS_$*) -c -o $@ $<

# The ONNX project's schema, as C.
$(B)/gen/onnx.pb-c.c $(B)/gen/onnx.pb-c.h &: $(ONNX_PROTO)
	@mkdir -p $(@D)
	protoc-c --proto_path=$(dir $<) --c_out=$(B)/gen $<
$(B)/gen/%.o: $(B)/gen/%.c $(B)/flags
	$(CC) $(ALL_CFLAGS) -Wno-pedantic -c -o $@ $<
$(OBJ): | $(B)/gen/onnx.pb-c.h

$(UNIT) $(BENCH): $(B)/%: $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(LINK) $(LIBS_$(*F)) $(LIBS_base)
$(foreach t,$(wildcard tests/unit/*/*.c),$(eval $(B)/unit/$(basename $(notdir $t)): $t))
$(foreach t,$(wildcard tests/tool/*.c tests/bench/*.c),$(eval $(t:tests/%.c=$(B)/%): $t))
$(addprefix $(B)/data/,draw.o glyph.o page.o photo.o): private ALL_CFLAGS += $(LOOPS) -fno-math-errno
$(B)/tool/paper $(B)/tool/formphoto: $(B)/data/photo.o
$(B)/tool/scenes: $(addprefix $(B)/data/,draw.o glyph.o layout.o page.o photo.o write.o)
$(DRAW): $(B)/tool/%: $(B)/data/%.o $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(LINK) $(LIBS_base)
$(FUZZ): $(B)/%: tests/%.c $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer $(LIBS_$(*F)) $(LIBS_base)
# The same with a main of our own, which lets memory run out.
$(CORPUS): $(B)/corpus/%: tests/fuzz/%.c tests/corpus.c $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(LINK) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup $(LIBS_$(*F)) $(LIBS_base)
$(B)/fuzz/inkpipe-read $(B)/corpus/inkpipe-read: $(B)/cmd/tool.o

# Programs whose kernels are of the level that LEVEL names in the environment (tests/golden).
$(LEVEL): $(B)/level/%: $(B)/cmd/%.o $(B)/cmd/tool.o $(B)/lib/engine/ranks/alone.o tests/level.c $(B)/libinkpipe.a
	@mkdir -p $(@D)
	$(LINK) -Wl,--wrap=kernel_best $(LIBS_base)

# Where things are installed, in what looks for a model there: with another PREFIX, that alone is made again.
$(B)/lib/answer/model.o: private ALL_CFLAGS += -DPREFIX='"$(PREFIX)"'
$(B)/lib/answer/model.o: $(B)/prefix
$(B)/prefix: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(PREFIX)' | cmp -s - $@ || printf '%s\n' '$(PREFIX)' >$@

# Compiler and flags as they were last time: other ones, and everything is made again.
export FLAGS = $(CC) $(SANDBOX) $(ALL_CFLAGS) $(LOOPS) $(LDFLAGS) $(foreach l,$(LEVELS) $(LEVELS8) $(LEVELS16),$l $(FLAGS_$l))
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS" | cmp -s - $@ || printf '%s\n' "$$FLAGS" >$@

# make models/NAME.onnx trains models/NAME.net anew, with the options in models/NAME.opt, on what
# models/NAME.data writes where there is one, else on MNIST. Nothing else asks for a model to be made:
# a plain make, or the dates of a fresh clone, never retrain one.
MNIST = data/train-images-idx3-ubyte data/train-labels-idx1-ubyte
$(MNIST) &:
	scripts/fetch-mnist data
MODEL_PATH = PATH="$(abspath $(B)):$(abspath $(B)/tool):$$PATH"
define TRAIN
	$(MODEL_PATH); $(or $(wildcard models/$*.data),mnist2pgm $(MNIST)) | \
		cnn-train $$(cat models/$*.opt) -n models/$*.net -o $@ >$(B)/$*.tsv
	mv $(B)/$*.tsv models/
endef
models/%.onnx: models/%.net models/%.opt $(MNIST) all $(DRAW) FORCE
	$(TRAIN)

# make models/NAME-int8.onnx makes of models/NAME.onnx, as it is, one in 8 bits.
models/%-int8.onnx: $(MNIST) all $(DRAW) FORCE
	$(MODEL_PATH); $(if $(wildcard models/$*.data),models/$*.data 4000,mnist2pgm $(MNIST)) | \
		cnn-train -q -v $(if $(wildcard models/$*.data),1000,5000) -i models/$*.onnx -o $@

# What finds digits is in 8 bits. make models/find-float.onnx trains it, make models/find.onnx takes it as it is; the
# same of refine.onnx.
models/%-float.onnx: models/%.net models/%.opt $(MNIST) all $(DRAW) FORCE
	$(TRAIN)
models/find.onnx models/refine.onnx: models/%.onnx: $(MNIST) all $(DRAW) FORCE
	$(MODEL_PATH); models/$*.data 4000 | cnn-train -q -v $(ASIDE_$*) -i models/$*-float.onnx -o $@
ASIDE_find = 1000
ASIDE_refine = 8000

test: all unit
	B=$(B) tests/run
# What the fuzz targets run counts the branches it takes, which makes it four times as slow: of objects of
# their own, but for the kernels. (-g1: reports name lines, no variables.)
sanitize:
	$(MAKE) B=$(B)/asan CC=clang CFLAGS='$(SANITIZE) -g1' KERNEL_CFLAGS='$(SANITIZE_KERNELS)' all unit
	$(MAKE) B=$(B)/libfuzzer K=$(B)/asan CC=clang CFLAGS='$(SANITIZE) -g1 -fsanitize=fuzzer-no-link' \
		KERNEL_CFLAGS='$(SANITIZE_KERNELS)' fuzz
# Lines of the parsers that the corpora of the fuzz targets reach.
corpus: $(CORPUS)
coverage:
	$(MAKE) B=$(B)/coverage CC=gcc CFLAGS='-O0 -g --coverage' corpus
	B=$(B)/coverage tests/coverage
# Every fault at every place: a long night's work for one core. Threads are watched too.
faults: all
	$(MAKE) B=$(B)/tsan CC=clang CFLAGS='-O1 -g -fsanitize=thread' all $(B)/tsan/unit/inkpipe_threads
	B=$(B)/tsan tests/faults.py races
	B=$(B) tests/faults.py -a memory calls disk pieces space pipe kill order flat valgrind
# The Debian packages of what is committed (scripts/deb), made twice and looked at.
deb-test:
	tests/deb
portability: $(B)/gen/onnx.pb-c.h
	tests/portability posix musl flags arm
lint: $(B)/gen/onnx.pb-c.h
	B=$(B) tests/lint
bench: all $(BENCH)
	B=$(B) tests/bench/run
record: all
	B=$(B) tests/bench/record
# Frames, answers and models are not what they were, and shall not be: tests/golden.bats says which.
golden: all unit
	B=$(B) tests/golden frames floats >$(B)/golden.tsv
	mv $(B)/golden.tsv tests/
accuracy: all unit
	B=$(B) tests/bench/accuracy $(PHOTOS)
# The floors of tests/floors.tsv, under what is read now: lower ones are to be told in the commit.
floors: all unit
	B=$(B) tests/bench/floors -w
# How well photos of filled-in forms are read (tests/bench/forms).
forms-accuracy: all unit
	B=$(B) tests/bench/forms
# How well numbers with signs, blotted numbers and letters are read (tests/bench/signs).
signs: all unit
	B=$(B) tests/bench/signs
# How soon and how well pages are read, beside RapidOCR (tests/bench/pages).
bench-pages: all unit
	B=$(B) tests/bench/pages $(PHOTOS)
profile: $(B)/bench/profile
	$< models/seed.onnx
	$< models/seed.onnx 1

# Scripts are installed under names that tell what they are of: inkpipe-draw.
BIN = $(DESTDIR)$(PREFIX)/bin
LIB = $(DESTDIR)$(LIBDIR)
INCLUDE = $(DESTDIR)$(PREFIX)/include
SHARE = $(DESTDIR)$(PREFIX)/share
SCRIPTS = $(patsubst scripts/%,%,$(wildcard scripts/draw scripts/camera scripts/classify-folder))
PAGES = $(patsubst man/%,%,$(wildcard man/*.[157]))
MODELS = $(patsubst models/%,%,$(wildcard models/*.net $(addprefix models/,default.onnx seed.onnx find.onnx refine.onnx turn.onnx)))
COMMANDS = $(patsubst man/%.1,%,$(wildcard man/*.1))
BASH = $(SHARE)/bash-completion/completions
FISH = $(SHARE)/fish/vendor_completions.d
ZSH = $(DESTDIR)$(ZSHDIR)
ICONS = $(SHARE)/icons/hicolor/scalable/apps
COMPLETIONS = $(addprefix $(B)/completions/,bash zsh fish)
$(COMPLETIONS): $(B)/completions/%: scripts/completions $(wildcard man/*.1 cmd/*.c $(SCRIPTS:%=scripts/%))
	@mkdir -p $(@D)
	scripts/completions $* >$@
install: all $(COMPLETIONS)
	install -d "$(BIN)" "$(SHARE)/inkpipe" "$(SHARE)/man/man1" "$(SHARE)/man/man5" "$(SHARE)/man/man7"
	install $(PROGRAMS:%=$(B)/%) "$(BIN)"
	for s in $(SCRIPTS); do install scripts/$$s "$(BIN)/inkpipe-$${s%-folder}"; done
	for p in $(PAGES); do install -m 644 man/$$p "$(SHARE)/man/man$${p##*.}"; done
	for m in $(MODELS); do install -m 644 models/$$m "$(SHARE)/inkpipe"; done
	install -d "$(BASH)" "$(FISH)" "$(ZSH)" "$(SHARE)/applications" "$(ICONS)"
	install -m 644 $(B)/completions/bash "$(BASH)/inkpipe"
	install -m 644 $(B)/completions/fish "$(FISH)/inkpipe.fish"
	install -m 644 $(B)/completions/zsh "$(ZSH)/_inkpipe"
	for c in $(COMMANDS); do ln -sf inkpipe "$(BASH)/$$c" && ln -sf inkpipe.fish "$(FISH)/$$c.fish"; done
	install -m 644 scripts/inkpipe-draw.desktop "$(SHARE)/applications"
	install -m 644 scripts/inkpipe.svg "$(ICONS)"
install-library: library
	install -d "$(LIB)/pkgconfig" "$(INCLUDE)" "$(SHARE)/man/man3"
	install -m 644 lib/inkpipe.h "$(INCLUDE)"
	install -m 644 $(B)/pic/public/libinkpipe.a $(B)/pic/public/libinkpipe.so.0 "$(LIB)"
	ln -sf libinkpipe.so.0 "$(LIB)/libinkpipe.so"
	install -m 644 $(B)/pic/public/inkpipe.pc "$(LIB)/pkgconfig"
	install -m 644 man/inkpipe.3 "$(SHARE)/man/man3"
uninstall:
	for p in $(PROGRAMS) $(SCRIPTS:%=inkpipe-%) inkpipe-classify; do rm -f "$(BIN)/$$p"; done
	for p in $(PAGES); do rm -f "$(SHARE)/man/man$${p##*.}/$$p"; done
	for f in libinkpipe.a libinkpipe.so libinkpipe.so.0 pkgconfig/inkpipe.pc; do rm -f "$(LIB)/$$f"; done
	rm -f "$(INCLUDE)/inkpipe.h" "$(SHARE)/man/man3/inkpipe.3"
	for c in inkpipe $(COMMANDS); do rm -f "$(BASH)/$$c" "$(FISH)/$$c.fish"; done
	rm -f "$(ZSH)/_inkpipe" "$(SHARE)/applications/inkpipe-draw.desktop" "$(ICONS)/inkpipe.svg"
	rm -rf "$(SHARE)/inkpipe"

# The tree as it is committed, the same bytes whenever and wherever it is packed.
dist:
	@mkdir -p $(B)
	git -c tar.umask=0022 archive --prefix=inkpipe-$(VERSION)/ HEAD | gzip -9n >$(B)/inkpipe-$(VERSION).tar.gz

clean:
	rm -rf $(B)

FORCE:
.PHONY: floors forms-accuracy signs bench-pages golden deb-test portability all unit fuzz corpus test lint sanitize coverage faults bench record profile accuracy library public install install-library uninstall dist clean FORCE
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d $(B)/lib/*/*/*.d)
