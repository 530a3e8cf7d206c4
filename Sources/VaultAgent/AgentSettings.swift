import AWSConfig
import VaultKeys
import VaultModel

/// The agent's settings: the files `/etc/vault/config` and `~/.config/vault/config`, in the grammar of the AWS config file, and the environment.
struct AgentSettings: Sendable {
  /// Where a new master key is kept.
  let keyStore: KeyStoreKind
  /// Whether the agent ends with the last program that it gave credentials: for jobs that are to leave nothing running.
  let endsWithPrograms: Bool

  /// - Throws: `ConfigError` for a file that cannot be parsed; configuration, for a value that makes no sense.
  init(files: [String], environment: [String: String]) throws {
    let values = try SharedConfig.ownSettings(of: files)
    let name =
      environment["VAULT_KEYSTORE"].flatMap { $0.isEmpty ? nil : $0 } ?? values["keystore"]?.text
      ?? KeyStoreKind.secretService.rawValue
    keyStore = try Self.keyStore(name)
    switch environment["VAULT_AGENT_LIFE"].flatMap({ $0.isEmpty ? nil : $0 }) ?? values["agent_life"]?.text ?? "login" {
    case "login": endsWithPrograms = false
    case "programs": endsWithPrograms = true
    case let other:
      throw Failure(
        "no life of an agent \"\(other)\"", hint: "VAULT_AGENT_LIFE is login or programs", exitStatus: .configuration)
    }
  }

  /// - Throws: configuration, for a name that no key store has.
  static func keyStore(_ name: String) throws(Failure) -> KeyStoreKind {
    guard let kind = KeyStoreKind(rawValue: name) else {
      throw Failure(
        "no key store \"\(name)\"",
        hint: "VAULT_KEYSTORE is one of " + KeyStoreKind.allCases.map(\.rawValue).joined(separator: ", "),
        exitStatus: .configuration)
    }
    return kind
  }
}
