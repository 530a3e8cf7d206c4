# Everything that can be done with vault's source. `make` alone lists it.

PREFIX ?= /usr/local
DESTDIR ?=
# The command's name; agent, units, completions and manual pages follow it.
NAME ?= vault
# Who is told of a vulnerability: "Name <address>", in SECURITY.md and as the packages' maintainer.
SECURITY_CONTACT ?=
# What signs a release: its words, followed by a file (docs/install.md).
SIGN ?=
export PREFIX DESTDIR NAME SECURITY_CONTACT SIGN

.PHONY: help demo build docs test torture fuzz sanitize simulate bench layout lint format install uninstall deb rpm tarball release reproduce package-test clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

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

install: ## the programs, under PREFIX (default /usr/local) in DESTDIR; the command is called NAME (default vault)
	@test -x .build/programs/vault -a -x .build/programs/vaultd -a -x .build/programs/vault-team || { scripts/setup.sh build && scripts/build.sh; }
	@scripts/stage.sh

uninstall: ## take the programs away again; nobody's vault is touched
	@scripts/stage.sh remove

deb: ## Debian packages of this Debian, in dist/
rpm: ## an RPM with this machine's libraries, in dist/
tarball: ## programs that run from any folder, in dist/
release: ## all of these with checksums, an SBOM and the signatures of SIGN, in dist/ (docs/install.md)

deb rpm tarball release:
	@scripts/setup.sh build package
	@scripts/build.sh
	@scripts/package.sh $@

reproduce: ## build the committed source in another folder, and compare its packages with those in dist/
	@scripts/setup.sh build package
	@scripts/reproduce.sh

package-test: ## install, use, upgrade and remove the packages in fresh Debian 12 and 13
	@scripts/setup.sh build package package-test
	@scripts/build.sh
	@scripts/package-test.sh

clean: ## what was built
	rm -rf .build dist
