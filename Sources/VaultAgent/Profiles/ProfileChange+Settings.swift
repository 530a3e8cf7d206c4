import VaultModel
import VaultWire

extension ProfileChange {
  /// The settings after the change.
  ///
  /// - Throws: `AgentError.badRequest` for an invalid name of a profile or setting.
  func applied(to settings: [Setting]) throws(AgentError) -> [Setting] {
    var result = settings
    for name in unset {
      let name = name.lowercased()
      guard result.contains(where: { $0.name == name }) else { throw .badRequest("the profile has no setting \"\(name)\"") }
      result.removeAll { $0.name == name }
    }
    for text in set {
      guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
        throw .badRequest("\"\(text)\" is not NAME=VALUE")
      }
      let name = text[..<equals].lowercased()
      let value = String(text[text.index(after: equals)...])
      guard name.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 0x5F || $0 == 0x2D || $0 == 0x2E }),
        name.utf8.count <= 128
      else {
        throw .badRequest("\"\(name)\" is not a valid setting name")
      }
      guard value.utf8.count <= 16_384, !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
        throw .badRequest("the value of \(name) has control characters or is too long")
      }
      result.removeAll { $0.name == name }
      result.append(Setting(name: name, value: .text(value), origin: .vault))
    }
    return result
  }

  /// Whether a profile may have this name: as in a file, but without a leading “-”, which the command line takes for an option.
  static func isProfileName(_ name: String) -> Bool {
    (1...256).contains(name.utf8.count) && !name.hasPrefix("-")
      && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
  }
}
