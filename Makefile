# lipopose - see README.md. `make help` lists the verbs.
#
# Options: CUDA=0 (build without nvcc), WERROR=1, SANITIZE=address,undefined,
# BUILD=dir, PREFIX=/usr/local, DESTDIR=.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
CC      ?= gcc
NVCC    ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))

PKGS := libtiff-4 hdf5 libpng zlib libzip libcjson
need  = $(or $(shell pkg-config --$(1) $(PKGS)),$(error pkg-config finds not all of: $(PKGS). Run: sh tools/setup.sh))

OPT      ?= -O3 -g
CFLAGS   ?= $(OPT)
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
ALL_CFLAGS = -std=c11 -ffp-contract=off -D_GNU_SOURCE -DLP_VERSION='"$(VERSION)"' -fPIC -fopenmp -fno-math-errno -MMD -MP \
             $(WARN) -I. -I$(BUILD)/pages $(PKG_CFLAGS) $(CFLAGS)
LIBS     = $(PKG_LIBS) -ldnnl -lbz2 -lm -ldl -lpthread

ifeq ($(WERROR),1)
  WARN += -Werror
endif
ifneq ($(SANITIZE),)
  ALL_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -DLP_SANITIZE
  LDFLAGS += -fsanitize=$(SANITIZE)
endif

ifneq ($(filter-out help clean format check-format,$(or $(MAKECMDGOALS),all)),)
  PKG_CFLAGS := $(call need,cflags)
  PKG_LIBS   := $(call need,libs)
endif

# Everything but the commands and main goes into the library.
CMD_SRC := $(wildcard host/cmd_*.c) host/main.c
CU_SRC  := $(wildcard kernels/*.cu)
CUDA_C  := $(wildcard host/*_cuda.c)
LIB_SRC := $(filter-out $(CMD_SRC) $(CUDA_C),$(wildcard host/*.c kernels/*.c weights/*.c))
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))
TEST_TOOLS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/tool_*.c))
CUDA_BENCH := $(wildcard bench/bench_*_cuda.c)
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(filter-out $(CUDA_BENCH),$(wildcard bench/bench_*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

comma := ,
obj = $(patsubst %,$(BUILD)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))

# Kernels are built for every architecture that they may meet; one is enough while working on
# them: CUDA_ARCH=-arch=sm_90. What ptxas says of registers and spills stays beside the objects.
CUDA ?= 1
ifeq ($(CUDA)$(if $(NVCC),1)$(if $(CU_SRC),1),111)
  CUDA_NOTE := with CUDA ($(NVCC))
  override WITH_CUDA := 1
  gencode = -gencode arch=compute_$(1),code=$(or $(2),sm_$(1))
  CUDA_ARCH ?= $(foreach a,80 86 89 90 100 120,$(call gencode,$(a))) $(call gencode,120,compute_120)
  CUDA_HOME := $(patsubst %/bin/nvcc,%,$(lastword $(NVCC)))
  LIB_OBJ += $(call obj,$(CU_SRC) $(CUDA_C))
  ALL_CFLAGS += -DLP_WITH_CUDA
  BENCHES += $(patsubst bench/%.c,$(BUILD)/bench/%,$(CUDA_BENCH))
  $(BUILD)/obj/host/%_cuda.c.o $(BUILD)/obj/bench/%_cuda.c.o: PKG_CFLAGS += -isystem $(CUDA_HOME)/include
  LIBS += -L$(CUDA_HOME)/lib64 -lcudart_static -lrt -lstdc++
else
  override WITH_CUDA :=
  CUDA_NOTE := without CUDA$(if $(CU_SRC),$(if $(NVCC),, (no nvcc found)))
endif

.PHONY: all lib test test-kernels test-kernels-gpu test-races bench asan fuzz format check-format check-headers install uninstall clean help
.DELETE_ON_ERROR:

all: $(BUILD)/lipopose $(BUILD)/liblipopose.so
	@echo "built $(BUILD)/lipopose $(VERSION) $(CUDA_NOTE)"

help:
	@echo "make | test | test-kernels | test-kernels-gpu | test-races | bench | asan | fuzz | format | check-format | check-headers | install | uninstall | clean"
	@echo "options: CUDA=0 WERROR=1 SANITIZE=address,undefined BUILD=dir PREFIX=$(PREFIX) DESTDIR="

$(BUILD)/obj/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# What `bench` was built from, where that is known.
GIT_LOG := $(wildcard $(shell git rev-parse --git-path logs/HEAD 2>/dev/null))
$(BUILD)/obj/host/cmd_bench.c.o: $(GIT_LOG)
$(BUILD)/obj/host/cmd_bench.c.o: ALL_CFLAGS += -DLP_COMMIT='"$(shell git describe --always --dirty 2>/dev/null)"'

# The parts of a page become C strings.
$(BUILD)/pages/%.inc: host/% Makefile
	@mkdir -p $(@D)
	sed -e 's/[\\"?]/\\&/g' -e 's/.*/"&\\n"/' $< > $@
VIEW := $(patsubst host/%,$(BUILD)/pages/%.inc,$(wildcard host/view*.html host/view*.css host/view*.js))
$(BUILD)/obj/host/write_view.c.o: $(VIEW)

# -fmad=false: every kernel gives the bits of its plain C version.
$(BUILD)/obj/%.cu.o: %.cu Makefile
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -fmad=false -lineinfo $(CUDA_ARCH) -Xptxas -v -Xcompiler -fPIC,-Wall,-Wextra -I. \
	  -MD -MP -c -o $@ $< 2> $(@:.o=.ptxas) || { cat $(@:.o=.ptxas) >&2; exit 1; }
	@! grep -v '^ptxas info' $(@:.o=.ptxas) | grep -E 'warning|error' >&2 || test "$(WERROR)" != 1

$(BUILD)/liblipopose.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/liblipopose.so: $(LIB_OBJ) host/lipopose.map
	$(CC) -shared -Wl,-soname,liblipopose.so.0 -Wl,--version-script=host/lipopose.map $(LDFLAGS) -fopenmp -o $@ $(LIB_OBJ) $(LIBS)

$(BUILD)/lipopose: $(call obj,$(CMD_SRC)) $(BUILD)/liblipopose.a
	$(CC) $(LDFLAGS) -fopenmp -o $@ $^ $(LIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.c.o $(BUILD)/liblipopose.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fopenmp -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/bench/%: $(BUILD)/obj/bench/%.c.o $(BUILD)/liblipopose.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fopenmp -o $@ $^ $(LIBS)

$(BUILD)/bench/bench_kernels_cuda: $(call obj,bench/cudnn_graph.c)

SIMT := $(BUILD)/$(if $(filter 1,$(RACE)),race,simt)
SIMT_TESTS := $(patsubst tests/simt/%.c,$(SIMT)/%,$(wildcard tests/simt/test_*.c))

# The same tests on a GPU: the library's own kernels, in memory that the GPU reaches too. Not those
# of the executor itself, nor what takes it for another machine from beginning to end.
GPU := $(BUILD)/gpu
ifeq ($(WITH_CUDA),1)
GPU_TESTS := $(patsubst tests/simt/%.c,$(GPU)/%,$(filter-out %/test_simt.c %/test_run_cuda.c %/test_devices_cuda.c,$(wildcard tests/simt/test_*.c)))
endif
GPU_OBJ := $(patsubst %,$(BUILD)/obj/%.o,$(wildcard tests/gpu/*.c))
GPU_WRAP := main malloc calloc realloc free posix_memalign aligned_alloc cudaMalloc cudaFree \
            cudaMallocFromPoolAsync cudaFreeAsync cudaLaunchKernel cudaGraphLaunch cudaGraphDestroy \
            cudaGraphInstantiate cudaGraphExecUpdate cudaGraphExecDestroy cudaStreamBeginCapture cudaStreamEndCapture
$(BUILD)/obj/tests/simt/%.c.o $(GPU_OBJ): PKG_CFLAGS += -DLP_ON_GPU -Itests/simt -isystem $(CUDA_HOME)/include
$(GPU)/test_%: $(BUILD)/obj/tests/simt/test_%.c.o $(GPU_OBJ) $(BUILD)/liblipopose.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(GPU_WRAP)) -fopenmp -o $@ $^ $(LIBS) -lcmocka

KERNEL_TESTS := $(if $(SANITIZE),,$(SIMT_TESTS) $(GPU_TESTS))
test: all $(TESTS) $(TEST_TOOLS) $(KERNEL_TESTS)
	BUILD=$(BUILD) sh tests/run.sh $(TESTS) $(KERNEL_TESTS)

# The kernels' own source, built by g++ for the executor of tests/simt: with sanitizers, or (RACE=1)
# with a call at every access, where the executor looks for races in shared memory.
ifeq ($(RACE),1)
SIMT_IS := -DLP_SIMT_RACE
SIMT_KERNEL := -fsanitize=thread
else
SIMT_IS := -DLP_SIMT_ASAN
SIMT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SIMT_KERNEL := $(SIMT_SAN) -fsanitize-sections=simt_shared
endif
SIMT_WARN := -Wall -Wextra -Wshadow -Wno-unknown-pragmas $(filter -Werror,$(WARN))
SIMT_FLAGS = -ffp-contract=off -fno-math-errno -D_GNU_SOURCE -U_FORTIFY_SOURCE -DLP_SIMT -I. -Itests/simt \
             -fopenmp -O2 -g -MMD -MP $(SIMT_IS) $(SIMT_WARN)
SIMT_CU := $(wildcard kernels/*.cu tests/simt/*.cu)
SIMT_CC := $(filter-out $(if $(RACE),,%/simt_race.cc),$(wildcard tests/simt/*.cc))
# The host's part of the CUDA back end, on a runtime of the executor's own.
SIMT_C  := $(CUDA_C) host/backend.c host/train_backend.c
SIMT_OBJ := $(patsubst %,$(SIMT)/%.o,$(SIMT_CU) $(SIMT_CC) $(SIMT_C))

$(SIMT)/%.cu.o: %.cu Makefile
	@mkdir -p $(@D)
	$(CXX) -x c++ -std=c++17 $(SIMT_FLAGS) $(SIMT_KERNEL) -c -o $@ $<
# The executor itself moves between stacks and fills memory around the arrays.
$(SIMT)/%.cc.o: %.cc Makefile
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(SIMT_FLAGS) -Itests/simt/cuda -c -o $@ $<
$(SIMT)/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c11 $(SIMT_FLAGS) -Itests/simt/cuda -DLP_WITH_CUDA $(SIMT_SAN) $(PKG_CFLAGS) -c -o $@ $<
$(SIMT)/obj/%.c.o: tests/simt/%.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c11 $(SIMT_FLAGS) -Itests/simt/cuda $(SIMT_SAN) $(PKG_CFLAGS) -c -o $@ $<
$(SIMT)/libsimt.a: $(SIMT_OBJ)
	@rm -f $@
	ar rcs $@ $^
# What tests load in the place of NVIDIA's.
$(SIMT)/libcudnn.so.9: tests/simt/fake_cudnn.c kernels/bf16.h Makefile
	@mkdir -p $(@D)
	$(CC) -std=c11 $(SIMT_FLAGS) -fPIC -shared -Wl,-soname,libcudnn.so.9 -o $@ $<
$(SIMT)/test_cudnn_cuda $(SIMT)/test_train_cuda $(SIMT)/test_train_run_cuda: | $(SIMT)/libcudnn.so.9
$(SIMT)/test_%: $(SIMT)/obj/test_%.c.o $(SIMT)/libsimt.a $(BUILD)/liblipopose.a
	$(CXX) $(SIMT_SAN) -fopenmp -o $@ $^ $(LIBS) -lcmocka

test-kernels: $(SIMT_TESTS)
	BUILD=$(SIMT) sh tests/run.sh $(SIMT_TESTS)
# Without a GPU one skip each; with REQUIRE_CUDA=1 a failure.
test-kernels-gpu: $(GPU_TESTS)
	@test -n "$(GPU_TESTS)" || { echo "test-kernels-gpu: no nvcc" >&2; exit 1; }
	BUILD=$(GPU) sh tests/run.sh $(GPU_TESTS)
test-races:
	$(MAKE) RACE=1 test-kernels

bench: all $(BENCHES)
	BUILD=$(BUILD) sh bench/run.sh

asan:
	$(MAKE) BUILD=build-asan CUDA=0 SANITIZE=address,undefined OPT='-O1 -g' test

# libFuzzer targets: clang, their own objects. FUZZ_SECONDS is per target.
FUZZ_SECONDS ?= 20
FUZZ_CC ?= clang
fuzz:
	$(MAKE) BUILD=build-fuzz CUDA=0 CC=$(FUZZ_CC) SANITIZE=address,undefined,fuzzer-no-link OPT='-O1 -g' fuzzers
	FUZZ_SECONDS=$(FUZZ_SECONDS) BUILD=build-fuzz sh tests/fuzz/run.sh

.PHONY: fuzzers
fuzzers: $(FUZZERS)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.c.o $(BUILD)/liblipopose.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer,address,undefined -fopenmp -o $@ $^ $(LIBS)

FORMAT_SRC = $(wildcard host/*.[ch] kernels/*.[ch] kernels/*.cu kernels/*.cuh weights/*.[ch] tests/*.[ch] tests/*/*.[ch] tests/simt/cuda/*.h tests/simt/*.cc tests/simt/*.cu bench/*.[ch])
format:
	clang-format -i $(FORMAT_SRC)
check-format:
	clang-format --dry-run -Werror $(FORMAT_SRC)

# Every header compiles alone.
check-headers:
	@for h in $(wildcard host/*.h kernels/*.h weights/*.h); do \
	  $(CC) -std=c11 -D_GNU_SOURCE $(WARN) -Werror -I. $(PKG_CFLAGS) -fsyntax-only -x c $$h || exit 1; done

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include \
	  $(DESTDIR)$(PREFIX)/share/lipopose $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/lipopose $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(BUILD)/liblipopose.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/liblipopose.so $(DESTDIR)$(PREFIX)/lib/liblipopose.so.0
	ln -sf liblipopose.so.0 $(DESTDIR)$(PREFIX)/lib/liblipopose.so
	install -m 644 host/lipopose.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 weights/*.h5 $(DESTDIR)$(PREFIX)/share/lipopose/
	install -m 644 tools/lipopose.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tools/lipopose.pc.in \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/lipopose.pc
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/lipopose $(DESTDIR)$(PREFIX)/lib/liblipopose.* \
	  $(DESTDIR)$(PREFIX)/lib/pkgconfig/lipopose.pc $(DESTDIR)$(PREFIX)/include/lipopose.h \
	  $(DESTDIR)$(PREFIX)/share/man/man1/lipopose.1
	rm -rf $(DESTDIR)$(PREFIX)/share/lipopose

clean:
	rm -rf $(BUILD) build-asan build-fuzz

-include $(shell find $(BUILD)/obj $(BUILD)/simt $(BUILD)/race -name '*.d' 2>/dev/null)
