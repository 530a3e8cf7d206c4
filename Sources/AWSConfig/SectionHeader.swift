import VaultModel

/// Which of the two files: they name their sections differently.
enum ConfigFileKind: Sendable {
  case config, credentials
}

/// What stands between `[` and `]`, understood.
enum SectionHeader: Equatable {
  /// `bare` is true for `[default]` of the config file, over which `[profile default]` wins.
  case section(SectionKind, name: String, bare: Bool)
  /// A section that the SDKs pass over, with its settings.
  case ignored(why: String)

  init(_ text: String, in file: ConfigFileKind) {
    let words = text.split(maxSplits: 1, whereSeparator: Self.isBlank)
    let prefix = words.count == 2 ? String(words[0]) : ""
    let rest = words.count == 2 ? Self.trimmed(words[1]) : ""
    let kind = SectionKind(rawValue: prefix)
    switch (file, kind) {
    case (.credentials, .some):
      self = .ignored(why: "section ignored: in the credentials file a section is the profile's bare name")
    case (.credentials, nil):
      self = Self.named(.profile, text, bare: false)
    case (.config, .some(let kind)):
      self = Self.named(kind, rest, bare: false)
    case (.config, nil) where text == "default":
      self = .section(.profile, name: text, bare: true)
    case (.config, nil):
      self = .ignored(why: "section ignored: expected [default], [profile NAME], [sso-session NAME] or [services NAME]")
    }
  }

  private static func named(_ kind: SectionKind, _ text: String, bare: Bool) -> SectionHeader {
    guard let name = name(text) else {
      return .ignored(why: "section ignored: a name is made of letters, digits and _ . / % @ : + -, or stands in quotes")
    }
    return .section(kind, name: name, bare: bare)
  }

  /// The name without its quotes, as the CLI writes them around names with blanks. Nil for a name that is not allowed.
  private static func name(_ text: String) -> String? {
    if let quote = text.utf8.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      let inner = text.utf8.dropFirst().dropLast()
      guard text.utf8.count > 2, text.utf8.last == quote,
        inner.allSatisfy({ $0 >= 32 && $0 != 127 && $0 != quote && $0 != UInt8(ascii: "\\") })
      else { return nil }
      return String(inner)
    }
    guard !text.isEmpty, text.utf8.allSatisfy(isNameByte) else { return nil }
    return text
  }

  private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

  private static func trimmed(_ text: Substring) -> String { String(text.drop(while: isBlank)) }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122: true
    case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: ":"),
      UInt8(ascii: "+"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
