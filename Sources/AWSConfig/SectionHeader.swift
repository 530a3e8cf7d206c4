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

  /// - Parameter text: valid UTF-8 without blanks at its ends.
  init(_ text: UnsafeRawBufferPointer, in file: ConfigFileKind) {
    let end = text.firstIndex(where: Self.isBlank) ?? text.count
    let prefix = UnsafeRawBufferPointer(rebasing: text[..<end])
    let start = text[end...].firstIndex { !Self.isBlank($0) } ?? text.count
    let rest = UnsafeRawBufferPointer(rebasing: text[start...])
    let kind = rest.isEmpty ? nil : Self.kind(prefix)
    switch (file, kind) {
    case (.credentials, .some):
      self = .ignored(why: "section ignored: in the credentials file a section is the profile's bare name")
    case (.credentials, nil):
      self = Self.named(.profile, text)
    case (.config, .some(let kind)):
      self = Self.named(kind, rest)
    case (.config, nil) where text.elementsEqual("default".utf8):
      self = .section(.profile, name: "default", bare: true)
    case (.config, nil):
      self = .ignored(why: "section ignored: expected [default], [profile NAME], [sso-session NAME] or [services NAME]")
    }
  }

  private static func kind(_ prefix: UnsafeRawBufferPointer) -> SectionKind? {
    if prefix.elementsEqual("profile".utf8) { return .profile }
    if prefix.elementsEqual("sso-session".utf8) { return .ssoSession }
    return prefix.elementsEqual("services".utf8) ? .services : nil
  }

  private static func named(_ kind: SectionKind, _ text: UnsafeRawBufferPointer) -> SectionHeader {
    guard text.count <= ConfigLimits.nameBytes else {
      return .ignored(why: "section ignored: its name is longer than \(ConfigLimits.nameBytes) bytes")
    }
    guard let name = name(text) else {
      return .ignored(why: "section ignored: a name is made of letters, digits and _ . / % @ : + -, or stands in quotes")
    }
    return .section(kind, name: name, bare: false)
  }

  /// The name without its quotes, as the CLI writes them around names with blanks. Nil for a name that is not allowed.
  private static func name(_ text: UnsafeRawBufferPointer) -> String? {
    guard let first = text.first else { return nil }
    guard first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") else {
      return text.allSatisfy(isNameByte) ? String(decoding: text, as: UTF8.self) : nil
    }
    guard text.count > 2, text[text.count - 1] == first else { return nil }
    let inner = UnsafeRawBufferPointer(rebasing: text[1..<text.count - 1])
    guard inner.allSatisfy({ $0 >= 32 && $0 != 127 && $0 != first && $0 != UInt8(ascii: "\\") }) else { return nil }
    return String(decoding: inner, as: UTF8.self)
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }

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
