import VaultModel

/// Which of the two files: they name sections differently.
public enum ConfigFileKind: Sendable {
  case config, credentials
}

/// The parsed content between `[` and `]`.
enum SectionHeader: Equatable {
  /// `bare` is true for `[default]` in the config file, which `[profile default]` overrides.
  case section(SectionKind, name: String, bare: Bool)
  /// A section that the SDKs ignore, with its settings.
  case ignored(why: String)

  /// - Parameter text: valid UTF-8 without blanks at either end.
  init(_ text: UnsafeRawBufferPointer, in file: ConfigFileKind) {
    let end = text.firstIndex(where: Self.isBlank) ?? text.count
    let prefix = UnsafeRawBufferPointer(rebasing: text[..<end])
    let start = text[end...].firstIndex { !Self.isBlank($0) } ?? text.count
    let rest = UnsafeRawBufferPointer(rebasing: text[start...])
    let kind = rest.isEmpty ? nil : Self.kind(prefix)
    switch (file, kind) {
    case (.credentials, .some):
      self = .ignored(why: "section ignored: in the credentials file, sections are named by the profile alone")
    case (.credentials, nil):
      self = Self.named(.profile, header: text) { Array(text) }
    case (.config, .some(let kind)):
      self = Self.named(kind, header: rest) { Self.unquoted(rest) }
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

  private static func named(_ kind: SectionKind, header text: UnsafeRawBufferPointer, name: () -> [UInt8]?) -> SectionHeader {
    guard text.count <= ConfigLimits.nameBytes + 2 else { return .ignored(why: tooLong) }
    guard let name = name(), !name.isEmpty else {
      return .ignored(why: "section ignored: a name with spaces, quotes or \\ must be quoted")
    }
    guard name.count <= ConfigLimits.nameBytes else { return .ignored(why: tooLong) }
    let text = String(decoding: name, as: UTF8.self)
    guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return .ignored(why: "section ignored: its name has a control character")
    }
    return .section(kind, name: text, bare: false)
  }

  private static let tooLong = "section ignored: its name is longer than \(ConfigLimits.nameBytes) bytes"

  /// The single word that a POSIX shell would read from `text`, since the AWS CLI reads a name that way (Python's `shlex.split`).
  /// Nil for more than one word, and for an unterminated quote.
  static func unquoted(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    var name: [UInt8] = []
    var quote: UInt8?
    var isEscaped = false
    for byte in text {
      if isEscaped {
        // Within quotes a backslash is literal unless a quote or another backslash follows it.
        if let quote, byte != quote, byte != backslash { name.append(backslash) }
        name.append(byte)
        isEscaped = false
      } else if byte == backslash, quote != UInt8(ascii: "'") {
        isEscaped = true
      } else if byte == quote {
        quote = nil
      } else if quote == nil, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else if quote == nil, isBlank(byte) {
        return nil
      } else {
        name.append(byte)
      }
    }
    return quote == nil && !isEscaped ? name : nil
  }

  private static let backslash = UInt8(ascii: "\\")
  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
}

extension ConfigLines {
  /// The section that a header line opens; nil if it opens none.
  func section(namedBy line: Range<Int>, in file: ConfigFileKind) -> (key: SectionKey, bare: Bool)? {
    guard let close = first(Byte.close, in: line) else { return nil }
    let place = trimmedOfASCII(line.lowerBound + 1..<close)
    guard place.count <= ConfigLimits.headerBytes, isText(place),
      case .section(let kind, let name, let bare) = SectionHeader(UnsafeRawBufferPointer(rebasing: bytes[place]), in: file)
    else { return nil }
    return (SectionKey(kind, name), bare)
  }
}
