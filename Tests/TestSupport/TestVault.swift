import Foundation
import Glibc

/// A vault of its own for one test, driven by the real programs: a home, a `VAULT_HOME`, a passphrase key store, and no other environment.
public final class TestVault: Sendable {
  public let folder = TemporaryDirectory()
  private let extra: [String: String]

  /// - Parameter environment: added to what every vault of a test has, or taking its place.
  public init(environment: [String: String] = [:]) {
    extra = environment
    mkdir(folder.file("home"), 0o700)
    mkdir(folder.file("home/.aws"), 0o700)
    folder.write("correct horse battery staple\n", to: "passphrase")
  }

  public var home: String { folder.file("home") }
  public var vaultHome: String { folder.file("vault") }

  /// The environment in which the programs run: exactly this.
  public var environment: [String: String] {
    var environment = [
      "HOME": home, "VAULT_HOME": vaultHome, "VAULT_KEYSTORE": "passphrase", "VAULT_PASSPHRASE_FILE": folder.file("passphrase"),
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "TERM": "dumb", "TZ": "UTC",
    ]
    environment.merge(extra) { _, new in new }
    return environment
  }

  /// Writes `~/.aws/config`.
  public func config(_ text: String) { folder.write(text, to: "home/.aws/config") }
  /// Writes `~/.aws/credentials`.
  public func credentials(_ text: String) { folder.write(text, to: "home/.aws/credentials") }
}
