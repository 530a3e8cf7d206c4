import VaultModel
import VaultSecrets

/// Variables of the requester's environment, fetched only when they are needed, since some of them are secret.
struct ClientEnvironment: Sendable {
  private let values: [String: SecretBytes]

  /// - Parameter answer: `NAME=value`, separated by zeros.
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
      // An empty variable counts as unset, as in the SDKs.
      if names.contains(name), equals + 1 < entry.count { values[name] = entry.part(equals + 1..<entry.count) }
    }
    self.values = values
  }

  /// No variables are set.
  init() { values = [:] }

  subscript(_ name: String) -> SecretBytes? { values[name] }
  func text(_ name: String) -> String? { values[name]?.withBytes { String(decoding: $0, as: UTF8.self) } }
}

extension IssueContext {
  /// Variables of the requester; for an automatic renewal, those of the last requester.
  ///
  /// - Parameter isKept: whether an automatic renewal may use them: not if they are themselves the requested credentials. They are
  ///   forgotten when the vault is locked.
  func asked(_ names: [String], isKept: Bool = true) async throws -> ClientEnvironment {
    let key = isKept ? "\(plan.profile)\n\(names.joined(separator: " "))" : nil
    guard let answer = try await programs.environments.answer(to: .variables(names), for: key, prompter) else {
      return ClientEnvironment()
    }
    return ClientEnvironment(answer, names: names)
  }
}
