#!/usr/bin/env bash
# The house's rules, as far as a machine can see them. Begins by proving that it can find what it looks for.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check_rules.py --self-test
scripts/check_rules.py
scripts/swift.sh format lint --strict --recursive --configuration .swift-format Sources Tests Package.swift
echo "vault: lint finds nothing" >&2
