# make              everything into build/: backstop, the programs it starts, and policy.image
# make install      DESTDIR, PREFIX, SYSCONFDIR; make uninstall takes it away again
# sudo make demo    installs what is missing, builds, re-enacts the incident
# sudo make test    installs what is missing, builds, runs all tests
# make unit|policy|e2e|bypass|vm|fuzz|bench|check   parts of the above
# make test-vm      each kernel in each tier, with a table (hours)
# make docs         a page of Markdown for each pack into build/docs

VERSION  := 0.1.0
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PYTHON   ?= /usr/bin/python3

LIBS     := libbpf libelf libfyaml libpcre2-8 smartcols jansson libsodium nettle sqlite3
SERVE_LIBS := libnats openssl libmicrohttpd libcurl # of backstop-serve alone
WARN     := -Wall -Wextra -Werror -Wmissing-prototypes -Wwrite-strings -Wno-unknown-pragmas
CFLAGS   ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
SAN      ?=
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DBACKSTOP_VERSION='"$(VERSION)"' $(WARN) -Iinclude -Isrc -I$(BUILD)/gen \
	     $(shell pkg-config --cflags $(LIBS) $(SERVE_LIBS)) $(CFLAGS) $(SAN) -MMD -MP
LDLIBS    = $(shell pkg-config --libs $(LIBS)) -lpthread

# The folders of src/, from the ground up: each may call those before it.
PARTS    := base policy kernel journal guard record cli export fleet serve
SRC_OF    = $(filter-out %/main.c,$(wildcard src/$(1)/*.c))
OBJ_OF    = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(call SRC_OF,$(1)))
ARCHIVES := $(foreach p,$(PARTS),$(BUILD)/lib$(p).a)
LINK_LIBS = -Wl,--as-needed -Wl,--start-group $(1) -Wl,--end-group $(LDLIBS)
ALL_LIBS  = $(call LINK_LIBS,$(ARCHIVES)) $(shell pkg-config --libs $(SERVE_LIBS))

# what is done is named; V=1 shows the commands
ifndef V
.SILENT:
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all docs unit policy e2e bypass vm test-vm fuzz bench check test demo install uninstall clean deps

all: $(addprefix $(BUILD)/,backstop backstop-context backstop-serve policy.image)

$(BUILD)/backstop: $(BUILD)/obj/cli/main.o $(filter-out %/libexport.a %/libfleet.a %/libserve.a,$(ARCHIVES))
	echo "  LINK  $@"
	$(CC) $(SAN) -o $@ $< $(call LINK_LIBS,$(filter %.a,$^))

$(BUILD)/backstop-serve: $(BUILD)/obj/serve/main.o $(ARCHIVES)
	echo "  LINK  $@"
	$(CC) $(SAN) -o $@ $< $(ALL_LIBS)

# The reader is linked statically, as it starts often: $(READER_LIBS) are libgit2's. The linker would
# warn of what it calls to reach networks and plugins, which the reader never does (and may not).
READER_LIBS := -lgit2 -lmbedtls -lmbedx509 -lmbedcrypto -lhttp_parser -lssh2 -lpcre2-8 -lcrypto -lz
READER_WRAP := -Wl,--wrap=git_mbedtls_stream_global_init,--wrap=git_transport_ssh_global_init
READER_OBJ  := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/context/*.c))

$(BUILD)/backstop-context: $(READER_OBJ) $(BUILD)/libpolicy.a $(BUILD)/libbase.a
	echo "  LINK  $@"
	$(CC) $(if $(SAN),$(SAN),-static) $(READER_WRAP) -Wl,--gc-sections,--no-warnings -o $@ $^ $(READER_LIBS)

$(BUILD)/policy.image: $(BUILD)/backstop $(wildcard signatures/*.yaml agents/*.yaml)
	$(BUILD)/backstop policy compile --output $@ signatures agents

docs: $(BUILD)/backstop
	rm -rf $(BUILD)/docs # pages of packs that are no more
	$(BUILD)/backstop policy docs --output $(BUILD)/docs signatures

define ARCHIVE
$(BUILD)/lib$(1).a: $(call OBJ_OF,$(1))
	rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call ARCHIVE,$(p))))

$(BUILD)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	echo "  CC    $@"
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# --- the kernel side: one object from one file a concern
# definitions come first: libbpf 1.1's linker gives a map declared before it is defined offset 0
BPF_SRC  := bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
BPF_SYS  := $(shell echo | $(CLANG) -v -E - 2>&1 | sed -n '/<...> search starts here:/,/End of search list./{ s|^ \(/.*\)|-idirafter \1|p }')

define COMPILE_BPF
	@mkdir -p $(@D)
	echo "  BPF   $@"
	$(CLANG) -target bpf -mcpu=v3 -O2 -g $(WARN) -Wno-missing-prototypes -Wno-unused-function -Wno-unused-parameter -Wno-gnu-variable-sized-type-not-at-end -D__TARGET_ARCH_$(BPF_ARCH) -DBACKSTOP_BPF \
		-Iinclude -Ibpf $(BPF_SYS) -MMD -MP -c -o $@ $<
endef
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(COMPILE_BPF)
$(BUILD)/tests/%.bpf.o: tests/%.bpf.c Makefile
	$(COMPILE_BPF)

$(BUILD)/backstop.bpf.o: $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.bpf.o,$(BPF_SRC))
	$(BPFTOOL) gen object $@ $^

$(BUILD)/gen/backstop.skel.h: $(BUILD)/backstop.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name backstop_bpf > $@

$(call OBJ_OF,kernel): $(BUILD)/gen/backstop.skel.h

# --- tests
UNIT := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*/test_*.c))

$(BUILD)/tests/unit/%: tests/unit/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	echo "  TEST  $@"
	$(CC) $(ALL_CFLAGS) -Itests -o $@ $< $(ALL_LIBS) -lcmocka

$(BUILD)/gen/scan.skel.h: $(BUILD)/tests/unit/kernel/scan.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name scan_bpf > $@

$(BUILD)/gen/ring.skel.h: $(BUILD)/tests/unit/kernel/ring.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name ring_bpf > $@

$(BUILD)/tests/unit/kernel/test_ring: $(BUILD)/gen/ring.skel.h
$(BUILD)/tests/unit/kernel/test_scan: $(BUILD)/gen/scan.skel.h
$(BUILD)/gen/refuse.skel.h: $(BUILD)/tests/vm/refuse.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name refuse_bpf > $@

$(BUILD)/tests/vm/refuse: tests/vm/refuse.c $(BUILD)/gen/refuse.skel.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $< $(ALL_LIBS)

NEED_IMAGE := $(addprefix $(BUILD)/tests/unit/,$(addprefix kernel/test_,scan kernel pins cost delete restart late) policy/test_ends)
$(NEED_IMAGE): $(BUILD)/policy.image
$(NEED_IMAGE): ALL_CFLAGS += -DPOLICY_IMAGE='"$(BUILD)/policy.image"'
$(BUILD)/tests/unit/context/test_confine: $(BUILD)/obj/context/confine.o
$(BUILD)/tests/unit/context/test_confine: ALL_LIBS := $(BUILD)/obj/context/confine.o $(ALL_LIBS)

unit: $(UNIT)
	tests/run unit $(BUILD)

policy: all
	tests/run policy $(BUILD)

VICTIMS := $(patsubst %.c,$(BUILD)/victims/%,$(notdir $(wildcard tests/e2e/victims/*.c tests/bypass/*.c)))
$(BUILD)/victims/%: tests/e2e/victims/%.c
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE $(VICTIM_FLAGS) -o $@ $< -lpthread
$(BUILD)/victims/%: tests/bypass/%.c tests/e2e/victims/uring.h
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE -o $@ $< -lpthread
$(BUILD)/victims/first: VICTIM_FLAGS := -static -nostartfiles

e2e: all $(VICTIMS)
	tests/run e2e $(BUILD)

bypass: all $(VICTIMS)
	tests/run bypass $(BUILD)

vm: all $(VICTIMS)
	tests/run vm $(BUILD)

test-vm: all $(VICTIMS)
	tests/run vm-all $(BUILD)

# The fuzzers link only what knows no kernel.
FUZZ_SRC := $(foreach p,base policy journal,$(call SRC_OF,$(p))) $(patsubst %,src/context/%.c,ask plan zip) src/record/event.c
$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_SRC) $(wildcard include/backstop/*.h src/*/*.h)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu17 -D_GNU_SOURCE -DBACKSTOP_VERSION='"$(VERSION)"' -Iinclude -Isrc $(shell pkg-config --cflags $(LIBS)) \
		-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $< $(FUZZ_SRC) $(LDLIBS) -lz

fuzz: $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
	tests/run fuzz $(BUILD)

BENCH := $(patsubst %,$(BUILD)/bench/%,attach hosts)
$(BENCH): $(BUILD)/bench/%: tests/bench/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $< $(ALL_LIBS)

bench: all $(VICTIMS) $(BUILD)/tests/unit/kernel/test_cost $(BENCH)
	tests/bench/bench $(BUILD)
	tests/bench/sends $(BUILD)
	tests/bench/programs $(BUILD)
	tests/bench/fleet $(BUILD)

C_FILES := $(shell find src bpf include tests -name '*.[ch]' 2>/dev/null)
check:
	clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppressions-list=packaging/cppcheck.suppress -Iinclude -Isrc src

deps:
	packaging/install-deps

test: deps
	$(MAKE) all
	tests/run all $(BUILD)

demo: deps
	$(MAKE) all
	tests/demo/demo $(BUILD)

# Where things go. The settings are the owner's: they are written once, and taken away unchanged only.
SYSCONFDIR ?= /etc
SHARE       = $(DESTDIR)$(PREFIX)/share/backstop
LIBEXEC     = $(DESTDIR)$(PREFIX)/libexec/backstop
DOC         = $(DESTDIR)$(PREFIX)/share/doc/backstop
UNITS       = $(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/system/,backstop.service backstop-serve.service)
SYSUSERS    = $(DESTDIR)$(PREFIX)/lib/sysusers.d/backstop.conf
TMPFILES    = $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/backstop.conf
SETTINGS    = $(DESTDIR)$(SYSCONFDIR)/backstop/backstop.yaml

install: all
	install -D -m 755 $(BUILD)/backstop $(DESTDIR)$(PREFIX)/bin/backstop
	install -d $(LIBEXEC)
	install -m 755 $(BUILD)/backstop-context $(BUILD)/backstop-serve $(LIBEXEC)
	rm -rf $(SHARE) # what a former release had and this one has not
	install -d $(addprefix $(SHARE)/,signatures agents grafana prometheus) $(DOC)/signatures $(DOC)/agents
	install -m 644 $(BUILD)/policy.image $(SHARE)/policy.image
	install -m 644 signatures/*.yaml $(SHARE)/signatures
	install -m 644 agents/*.yaml $(SHARE)/agents
	install -m 644 packaging/grafana/*.json $(SHARE)/grafana
	install -m 644 packaging/prometheus/*.yml $(SHARE)/prometheus
	install -m 644 README.md DESIGN.md THREATS.md packaging/nats.conf $(DOC)
	install -m 644 signatures/README.md $(DOC)/signatures
	install -m 644 agents/README.md $(DOC)/agents
	install -d $(sort $(dir $(UNITS)))
	for f in $(UNITS); do sed 's|/usr/local/|$(PREFIX)/|g' packaging/$${f##*/} > $$f && chmod 644 $$f; done
	install -D -m 644 packaging/backstop.sysusers $(SYSUSERS)
	install -D -m 644 packaging/backstop.tmpfiles $(TMPFILES)
	[ -e $(SETTINGS) ] || install -D -m 644 packaging/backstop.yaml $(SETTINGS)
	[ -n "$(DESTDIR)" ] || packaging/installed $(SYSUSERS) $(TMPFILES)

uninstall:
	[ -n "$(DESTDIR)" ] || packaging/uninstalling
	rm -f $(DESTDIR)$(PREFIX)/bin/backstop $(UNITS) $(SYSUSERS) $(TMPFILES)
	rm -rf $(SHARE) $(LIBEXEC) $(DOC)
	if cmp -s packaging/backstop.yaml $(SETTINGS); then rm $(SETTINGS); fi
	if [ -e $(SETTINGS) ]; then echo "$(SETTINGS) was changed, and is left"; fi
	rmdir $(dir $(SETTINGS)) 2>/dev/null || true

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
