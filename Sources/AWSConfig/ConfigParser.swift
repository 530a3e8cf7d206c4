import VaultModel
import VaultSecrets

/// Reads the bytes of one file into a table of sections.
///
/// Values of secrets go from the bytes straight to guarded memory; no text of them is ever made.
struct ConfigParser {
  /// What a line that begins with a blank would continue.
  private enum Above {
    case nothing
    /// A property of a section that is passed over.
    case ignored
    case text(section: Int, setting: Int)
    case nested(section: Int, setting: Int)
    case secret(String)
  }

  let file: String
  let kind: ConfigFileKind
  private(set) var table = SectionTable()
  private(set) var warnings: [ConfigWarning] = []
  private var lines: ConfigLines
  /// The section that is open: nil before the first, and `.some(nil)` in one that is passed over.
  private var section: Int??
  private var above = Above.nothing
  private var nestedNames: [String: Int] = [:]

  /// - Parameters:
  ///   - bytes: must outlive the call of ``parse(_:file:kind:)`` alone.
  ///   - file: the path as the person knows it.
  static func parse(
    _ bytes: UnsafeRawBufferPointer, file: String, kind: ConfigFileKind
  ) throws(ConfigError) -> (table: SectionTable, warnings: [ConfigWarning]) {
    var parser = ConfigParser(bytes, file: file, kind: kind)
    while let line = parser.lines.next() { try parser.read(line) }
    if let dropped = parser.table.settleDefault() {
      parser.warn("section ignored: [profile default] takes its place", line: dropped)
    }
    return (parser.table, parser.warnings)
  }

  private init(_ bytes: UnsafeRawBufferPointer, file: String, kind: ConfigFileKind) {
    lines = ConfigLines(bytes)
    self.file = file
    self.kind = kind
  }

  private mutating func read(_ line: Range<Int>) throws(ConfigError) {
    let content = lines.trimmed(line)
    guard let first = content.first.map({ lines.bytes[$0] }), !Byte.startsComment(first) else { return }
    if content.lowerBound > line.lowerBound {
      try readContinuation(content)
    } else if first == Byte.open {
      try readHeader(content)
    } else {
      try readProperty(content)
    }
  }

  private mutating func readHeader(_ line: Range<Int>) throws(ConfigError) {
    guard let close = lines.first(Byte.close, in: line) else { throw expected("“]” at the end of the section's name") }
    let rest = lines.trimmed(close + 1..<line.upperBound)
    guard rest.isEmpty || Byte.startsComment(lines.bytes[rest.lowerBound]) else {
      throw expected("nothing after “]” but a comment")
    }
    let name = try text(lines.trimmed(line.lowerBound + 1..<close))
    above = .nothing
    switch SectionHeader(name, in: kind) {
    case .section(let kind, let name, let bare): section = .some(table.open(kind, name, bare: bare, line: lines.number))
    case .ignored(let why):
      section = .some(nil)
      warn(why, line: lines.number)
    }
  }

  private mutating func readProperty(_ line: Range<Int>) throws(ConfigError) {
    guard let section else { throw expected("a section, such as [default], before the first setting") }
    let (name, value) = try property(line, commentsEnd: true)
    guard let section else {
      above = .ignored
      return
    }
    let origin = SettingOrigin(file: file, line: lines.number)
    if SecretName.contains(name) {
      try readSecret(name, value, section: section, origin: origin)
      return
    }
    let setting = Setting(name: name, value: .text(try text(value)), origin: origin)
    let position = table.withSection(section) { $0.put(setting) }
    above = value.isEmpty ? .nested(section: section, setting: position) : .text(section: section, setting: position)
    if value.isEmpty { nestedNames.removeAll() }
  }

  private mutating func readSecret(_ name: String, _ value: Range<Int>, section: Int, origin: SettingOrigin) throws(ConfigError) {
    let bytes = UnsafeRawBufferPointer(rebasing: lines.bytes[value])
    guard bytes.allSatisfy({ (33...126).contains($0) }) else {
      throw expected("a secret of visible ASCII characters, without blanks")
    }
    let setting = Setting(name: name, value: .text(bytes.isEmpty ? "" : SecretName.mask), origin: origin)
    let secret = bytes.isEmpty ? nil : SecretBytes(copying: bytes)
    table.withSection(section) { _ = $0.put(setting, secret: secret) }
    above = .secret(name)
  }

  private mutating func readContinuation(_ line: Range<Int>) throws(ConfigError) {
    switch above {
    case .nothing: throw expected("a setting above, since this line begins with a blank")
    case .ignored: return
    case .secret(let name): throw expected("the whole of \(name) on one line; this one begins with a blank")
    case .text(let section, let setting):
      let more = try maskedText(line)
      table.withSection(section) { builder in
        builder.continueValue(at: setting) { value in
          guard case .text(var text) = value else { return }
          value = .text("")
          text += "\n"
          text += more
          value = .text(text)
        }
      }
    case .nested(let section, let setting):
      let (name, range) = try property(line, commentsEnd: false)
      let value = SecretName.contains(name) ? SecretName.mask : try text(range)
      let known = nestedNames[name]
      let count = nestedNames.count
      if known == nil { nestedNames[name] = count }
      table.withSection(section) { builder in
        builder.continueValue(at: setting) { nested in
          var list: [NestedSetting] = if case .nested(let list) = nested { list } else { [] }
          nested = .text("")
          if let known { list[known].value = value } else { list.append(NestedSetting(name: name, value: value)) }
          nested = .nested(list)
        }
      }
    }
  }

  /// The name, in lower case, and the range of the value.
  private func property(_ line: Range<Int>, commentsEnd: Bool) throws(ConfigError) -> (name: String, value: Range<Int>) {
    guard let equals = lines.first(Byte.equals, in: line) else { throw expected("“name = value”") }
    let name = lines.trimmed(line.lowerBound..<equals)
    guard !name.isEmpty else { throw expected("a name before “=”") }
    let end = commentsEnd ? lines.endBeforeComment(equals + 1..<line.upperBound) : line.upperBound
    let text = try text(name).lowercased()
    // `export aws_secret_access_key = …`, or a blank for the “=”: a secret would be a part of the name, or the value of another.
    guard SecretName.contains(text) || !SecretName.isMentioned(in: text) else {
      throw expected("the name of a secret alone before “=”")
    }
    return (text, lines.trimmed(equals + 1..<end))
  }

  /// A continuation line, in which a secret that was indented by mistake is not shown.
  private mutating func maskedText(_ line: Range<Int>) throws(ConfigError) -> String {
    let more = try text(line)
    guard SecretName.isMentioned(in: more.lowercased()) else { return more }
    warn("a secret that begins with a blank is a part of the value above, and was left out", line: lines.number)
    return SecretName.mask
  }

  private func text(_ range: Range<Int>) throws(ConfigError) -> String {
    guard let text = lines.text(range) else { throw expected("UTF-8 text without NUL bytes") }
    return text
  }

  private func expected(_ what: String) -> ConfigError { .syntax(file: file, line: lines.number, expected: what) }

  private mutating func warn(_ text: String, line: Int) {
    warnings.append(ConfigWarning(file: file, line: line, text: text))
  }
}
