// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 language mode, and a warning is an error, in every target of ours.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .unsafeFlags(["-warnings-as-errors"])]

/// A target of ours, lowest first; it may import only what it names (`make lint` checks that).
func module(
  _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [], settings: [SwiftSetting] = []
) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict + settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "vault",
  products: [
    .executable(name: "vault", targets: ["vault"]),
    .executable(name: "vaultd", targets: ["vaultd"]),
    .executable(name: "vault-team", targets: ["vault-team"]),
    .executable(name: "sts-simulator", targets: ["STSSimulator"]),
    .executable(name: "rotation-simulation", targets: ["RotationSimulation"]),
  ],
  targets: [
    .systemLibrary(name: "CSQLite", path: "Sources/C/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CZlib", path: "Sources/C/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CSodium", path: "Sources/C/CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CSecret", path: "Sources/C/CSecret", pkgConfig: "libsecret-1", providers: [.apt(["libsecret-1-dev"])]),
    .systemLibrary(name: "CCurl", path: "Sources/C/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CExpat", path: "Sources/C/CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
    .systemLibrary(name: "CJansson", path: "Sources/C/CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
    .systemLibrary(name: "COath", path: "Sources/C/COath", pkgConfig: "liboath", providers: [.apt(["liboath-dev"])]),
    .systemLibrary(name: "CCrypto", path: "Sources/C/CCrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CQRCode", path: "Sources/C/CQRCode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),
    .systemLibrary(
      name: "CMicrohttpd", path: "Sources/C/CMicrohttpd", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
    .systemLibrary(
      name: "CTermKey", path: "Sources/C/CTermKey", pkgConfig: "termkey",
      providers: [.apt(["libtermkey-dev", "libunibilium-dev"])]),
    .systemLibrary(name: "CPostgreSQL", path: "Sources/C/CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(
      name: "CUTF8Proc", path: "Sources/C/CUTF8Proc", pkgConfig: "libutf8proc", providers: [.apt(["libutf8proc-dev"])]),
    .systemLibrary(name: "CYAML", path: "Sources/C/CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    // toml++, which is a header: libtomlplusplus-dev.
    .target(name: "CTOML", path: "Sources/C/CTOML"),
    .target(name: "CSystem", path: "Sources/C/CSystem"),
    .target(name: "CWipingHeap", path: "Sources/C/CWipingHeap"),

    // The scanner keeps a span, so that every look at what is scanned is within bounds.
    module("VaultBytes", settings: [.enableExperimentalFeature("Lifetimes")]),
    module("VaultModel", ["VaultBytes"]),
    module("VaultConcurrency", ["VaultModel", "CSystem"]),
    module("VaultSecrets", ["VaultBytes", "VaultModel", "CSodium"]),
    module("AWSConfig", ["VaultBytes", "VaultModel", "VaultSecrets", "CSystem"]),
    module("AWSPolicy", ["VaultBytes", "VaultModel", "VaultSecrets"]),
    module(
      "AWSClient", ["VaultBytes", "VaultModel", "VaultConcurrency", "VaultSecrets", "AWSPolicy", "CCurl", "CExpat", "CJansson"]),
    module("VaultDatabase", ["VaultBytes", "VaultModel", "CSQLite"], resources: [.embedInCode("migrations")]),
    module("VaultAudit", ["VaultBytes", "VaultModel", "VaultConcurrency", "VaultSecrets", "VaultDatabase", "CSystem", "CZlib"]),
    module("VaultStore", ["VaultBytes", "VaultModel", "VaultConcurrency", "VaultSecrets", "VaultDatabase", "VaultAudit"]),
    module(
      "VaultTeam", ["VaultBytes", "VaultModel", "VaultSecrets", "VaultDatabase", "VaultAudit", "CPostgreSQL"],
      resources: [.embedInCode("postgresql/vault_audit.sql")]),
    module("VaultKeys", ["VaultBytes", "VaultModel", "VaultConcurrency", "VaultSecrets", "CSecret", "CSystem"]),
    module("VaultWire", ["VaultBytes", "VaultModel", "CSystem"]),
    module(
      "VaultAgent",
      [
        "VaultBytes", "VaultModel", "VaultConcurrency", "VaultSecrets", "AWSConfig", "AWSPolicy", "AWSClient", "VaultDatabase",
        "VaultAudit", "VaultStore", "VaultKeys", "VaultWire",
        "CSystem", "CCrypto", "COath", "CQRCode", "CMicrohttpd", "CTOML", "CYAML",
      ]),

    .executableTarget(
      name: "vault",
      dependencies: [
        "VaultBytes", "VaultModel", "AWSConfig", "AWSPolicy", "VaultSecrets", "VaultDatabase", "VaultAudit", "VaultWire",
        "CSystem", "CTermKey", "CUTF8Proc",
      ],
      resources: [.embedInCode("page")], swiftSettings: strict),
    .executableTarget(
      name: "vaultd", dependencies: ["VaultModel", "VaultAgent", "CSystem", "CWipingHeap"], swiftSettings: strict,
      // Bound when it starts: a first call would leave pieces of secrets on a stack (docs/decisions/0010-wiping-heap.md).
      linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"])]),
    .executableTarget(name: "vault-team", dependencies: ["VaultTeam"], swiftSettings: strict),
    .executableTarget(
      name: "STSSimulator", dependencies: ["VaultBytes", "VaultModel", "VaultSecrets", "AWSPolicy", "SimulatorModel", "CSystem"],
      path: "Tests/Support/STSSimulator",
      swiftSettings: strict),
    .executableTarget(
      name: "bench-inside",
      dependencies: [
        "VaultModel", "VaultSecrets", "VaultDatabase", "VaultAudit", "VaultStore", "VaultWire", "CSystem", "CMicrohttpd",
      ],
      path: "bench/Inside",
      swiftSettings: strict),
    .target(name: "SimulatorModel", path: "Tests/Support/SimulatorModel", swiftSettings: strict),
    .target(name: "VirtualTime", path: "Tests/Support/VirtualTime", swiftSettings: strict),
    .executableTarget(
      name: "RotationSimulation", dependencies: ["VaultModel", "VaultConcurrency", "AWSClient", "VaultAgent", "VirtualTime"],
      path: "Tests/Support/RotationSimulation", swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["VaultModel", "SimulatorModel", "CSystem"], path: "Tests/Support/TestSupport",
      swiftSettings: strict),
    .executableTarget(
      name: "KeyStoreProbe", dependencies: ["VaultModel", "VaultSecrets", "VaultKeys"], path: "Tests/Support/KeyStoreProbe",
      swiftSettings: strict),
    tests("VaultBytesTests", ["VaultBytes", "TestSupport"]),
    tests("VaultModelTests", ["VaultBytes", "VaultModel", "VaultWire", "TestSupport"]),
    tests("VaultConcurrencyTests", ["VaultConcurrency", "VaultModel", "CSystem", "TestSupport"]),
    tests("VaultSecretsTests", ["VaultSecrets", "TestSupport"]),
    tests("AWSConfigTests", ["AWSConfig", "TestSupport"]),
    tests("AWSPolicyTests", ["VaultBytes", "AWSPolicy", "VaultModel", "TestSupport"], exclude: ["Fixtures"]),
    tests("AWSClientTests", ["VaultBytes", "AWSPolicy", "AWSClient", "TestSupport"], exclude: ["Fixtures"]),
    tests("VaultStoreTests", ["VaultBytes", "VaultStore", "VaultDatabase", "VaultAudit", "VaultSecrets", "TestSupport"]),
    tests("VaultTeamTests", ["VaultTeam", "TestSupport"]),
    tests("VaultKeysTests", ["VaultKeys", "VaultSecrets", "TestSupport", "KeyStoreProbe"]),
    tests(
      "VaultAgentTests", ["VaultAgent", "VaultConcurrency", "VaultSecrets", "TestSupport", "VirtualTime", "RotationSimulation"]),
    tests("ClientTests", ["vault", "VaultModel", "VaultAudit"]),
    tests("STSSimulatorTests", ["STSSimulator", "TestSupport"]),
    tests("EndToEndTests", ["VaultBytes", "VaultModel", "AWSPolicy", "VaultWire", "TestSupport"], exclude: ["Fixtures"]),
  ],
  cxxLanguageStandard: .cxx17
)

// libFuzzer brings the `main` of its own, and so this is no product of an ordinary build (scripts/fuzz.sh).
if Context.environment["VAULT_WITH_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "fuzz",
      dependencies: [
        "VaultBytes", "VaultModel", "VaultSecrets", "AWSConfig", "AWSPolicy", "AWSClient", "VaultDatabase", "VaultAudit",
        "VaultKeys",
        "VaultStore",
        "VaultWire",
        "VaultAgent",
      ], path: "Tests/Fuzz", exclude: ["Seeds"], swiftSettings: strict))
}

// What a sanitizer is to see, without the programs and their tests, whose build takes longest (scripts/sanitize.sh).
if Context.environment["VAULT_SANITIZED"] != nil {
  let seen = [
    "VaultBytesTests", "VaultModelTests", "VaultConcurrencyTests", "VaultSecretsTests", "AWSConfigTests", "AWSPolicyTests",
    "AWSClientTests", "VaultStoreTests", "VaultAgentTests",
    "RotationSimulation",
  ]
  package.products = []
  package.targets.removeAll { ($0.type == .test || $0.type == .executable) && !seen.contains($0.name) }
}
