import Glibc
import VaultModel
import VaultSecrets

/// Variables of the asker's environment, fetched when they are needed and never before, since some of them are secret.
struct AskedVariables: Sendable {
  private let values: [String: SecretBytes]

  /// - Parameter answer: `NAME=value`, a zero between two of them.
  init(_ answer: SecretBytes, names: [String]) {
    var values: [String: SecretBytes] = [:]
    var start = 0
    let bounds = answer.withBytes { bytes in bytes.indices.filter { bytes[$0] == 0 } } + [answer.count]
    for end in bounds {
      let entry = answer.part(start..<max(start, end))
      start = end + 1
      let equals = entry.withBytes { $0.firstIndex(of: UInt8(ascii: "=")) }
      guard let equals else { continue }
      let name = entry.part(0..<equals).withBytes { String(decoding: $0, as: UTF8.self) }
      // An empty variable is as none, as the SDKs have it.
      if names.contains(name), equals + 1 < entry.count { values[name] = entry.part(equals + 1..<entry.count) }
    }
    self.values = values
  }

  /// The agent's own, for what it does unasked: those of the client that started it.
  init(own names: [String]) {
    var values: [String: SecretBytes] = [:]
    for name in names {
      if let value = getenv(name), value.pointee != 0 { values[name] = SecretBytes(String(cString: value)) }
    }
    self.values = values
  }

  subscript(_ name: String) -> SecretBytes? { values[name] }
  func text(_ name: String) -> String? { values[name]?.withBytes { String(decoding: $0, as: UTF8.self) } }
}

extension Call {
  func asked(_ names: [String]) async throws -> AskedVariables {
    if prompter is Nobody { return AskedVariables(own: names) }
    return AskedVariables(try await prompter.ask(.variables(names)), names: names)
  }
}
