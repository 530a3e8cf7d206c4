# Everything that can be done with vault's source. `make` alone lists it.

PREFIX ?= /usr/local
DESTDIR ?=
BIN := $(DESTDIR)$(PREFIX)/bin
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/user
SHARE := $(DESTDIR)$(PREFIX)/share
# What the client prints of itself, and where shells and man(1) look for it.
MAN := $(SHARE)/man/man1/vault.1
BASH := $(SHARE)/bash-completion/completions/vault
ZSH := $(SHARE)/zsh/site-functions/_vault
FISH := $(SHARE)/fish/vendor_completions.d/vault.fish

.PHONY: help demo build docs test torture fuzz sanitize simulate bench layout lint format install uninstall clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

demo: ## the main job, for real, in a temporary home: import, exec, list, audit
	@scripts/setup.sh build demo
	@scripts/build.sh
	@scripts/demo.sh

build: ## the programs, in .build/programs
	@scripts/setup.sh build
	@scripts/build.sh

docs: ## what the documentation shows of the programs: docs/commands.md, pictures of a terminal
	@scripts/setup.sh build
	@scripts/build.sh
	@scripts/docs.py

test: ## every test, on real parts
	@scripts/setup.sh build test
	@scripts/build.sh
	@scripts/test.sh

torture: ## the long tests: killing the agent 1,000 times, failing every file system call
	@scripts/setup.sh build test
	@scripts/build.sh
	@VAULT_TORTURE=1 VAULT_TEST_TAGS=torture scripts/test.sh --filter EndToEndTests

fuzz: ## every parser against random input, a minute each (SECONDS_EACH)
	@scripts/setup.sh build
	@scripts/fuzz.sh

sanitize: ## the modules' tests and the agent under the thread and the address sanitizer
	@scripts/setup.sh build test
	@scripts/build.sh
	@scripts/sanitize.sh

simulate: ## the schedule of 200 laptops over a month, in virtual time
	@scripts/setup.sh build
	@scripts/simulate.sh

bench: ## the figures, as ratios against true, the AWS CLI and awsume
	@scripts/setup.sh build bench
	@scripts/build.sh bench
	@bench/run

layout: ## build again with the functions that are run side by side: a tenth faster to start (docs/decisions/0007-layout.md)
	@scripts/setup.sh build bench layout
	@scripts/build.sh
	@scripts/layout.py
	@scripts/build.sh

lint: ## format, imports, and what must not stand in the tree
	@scripts/setup.sh lint
	@scripts/lint.sh

format: ## put the Swift sources in their form
	@scripts/setup.sh lint
	@scripts/swift.sh format --in-place --recursive --configuration .swift-format Sources Tests Package.swift

install: ## the programs, under PREFIX (default /usr/local) in DESTDIR
	@test -x .build/programs/vault -a -x .build/programs/vaultd -a -x .build/programs/vault-team || { scripts/setup.sh build && scripts/build.sh; }
	install -d "$(BIN)"
	install -s -m 755 .build/programs/vault .build/programs/vaultd .build/programs/vault-team "$(BIN)"
	install -d "$(UNITS)"
	install -m 644 packaging/systemd/vault.socket packaging/systemd/vault-ship.timer "$(UNITS)"
	install -d "$(dir $(MAN))" "$(dir $(BASH))" "$(dir $(ZSH))" "$(dir $(FISH))"
# What is written and not copied is there first with its mode, whatever the umask is: a unit that others can write runs what they like.
	for file in "$(UNITS)/vault.service" "$(UNITS)/vault-ship.service" "$(MAN)" "$(BASH)" "$(ZSH)" "$(FISH)"; do \
	  rm -f "$$file" && install -m 644 /dev/null "$$file" || exit 1; done
	sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/vault.service > "$(UNITS)/vault.service"
	sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/vault-ship.service > "$(UNITS)/vault-ship.service"
	"$(BIN)/vault" --man > "$(MAN)"
	"$(BIN)/vault" completion bash > "$(BASH)"
	"$(BIN)/vault" completion zsh > "$(ZSH)"
	"$(BIN)/vault" completion fish > "$(FISH)"

uninstall: ## take the programs away again; nobody's vault is touched
	rm -f "$(BIN)/vault" "$(BIN)/vaultd" "$(BIN)/vault-team" "$(MAN)" "$(BASH)" "$(ZSH)" "$(FISH)"
	rm -f "$(UNITS)/vault.service" "$(UNITS)/vault.socket" "$(UNITS)/vault-ship.service" "$(UNITS)/vault-ship.timer"

clean: ## what was built
	rm -rf .build
