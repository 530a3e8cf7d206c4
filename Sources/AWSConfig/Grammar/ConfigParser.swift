import VaultModel
import VaultSecrets

/// Parses the bytes of one file into a table of sections.
///
/// Values of secrets go from the bytes straight to guarded memory; no string is ever made of them.
struct ConfigParser {
  /// The element that a more indented line would continue.
  private enum Above {
    case nothing
    /// A property of an ignored section.
    case ignored
    case text(section: Int, setting: Int)
    case nested(section: Int, setting: Int)
    case secret(section: Int, name: String)
  }

  let file: String
  let kind: ConfigFileKind
  private(set) var table = SectionTable()
  private(set) var warnings: [ConfigWarning] = []
  private var lines: ConfigLines
  /// The open section: nil before the first, `.some(nil)` in an ignored one.
  private var section: Int??
  private var above = Above.nothing
  /// The indentation of the last setting or header. A line with more indentation continues its value; any other line stands alone,
  /// as in the AWS CLI (Python's configparser).
  private var indent = 0
  private var nestedNames: [String: Int] = [:]
  private var names: SettingNames
  private var unknownNames: Set<String> = []
  private var warningsLeftOut = 0

  /// - Parameters:
  ///   - bytes: must outlive only the call of ``parse(_:file:kind:)``.
  ///   - file: the path as the user knows it.
  static func parse(
    _ bytes: UnsafeRawBufferPointer, file: String, kind: ConfigFileKind
  ) throws(ConfigError) -> (table: SectionTable, warnings: [ConfigWarning]) {
    var parser = ConfigParser(bytes, file: file, kind: kind)
    while let line = parser.lines.next() { try parser.read(line) }
    if let dropped = parser.table.resolveDefault() {
      parser.warn("section ignored: [profile default] overrides it", line: dropped)
    }
    if parser.warningsLeftOut > 0 {
      let text = "\(parser.warningsLeftOut) more warnings omitted"
      parser.warnings.append(ConfigWarning(file: file, line: parser.lines.number, text: text))
    }
    return (parser.table, parser.warnings)
  }

  /// Parses a part of the bytes that begins with a header at the start of a line and does not depend on anything before it.
  ///
  /// - Parameter isNew: false to add to the result of the part before.
  mutating func parse(_ part: Range<Int>, from line: Int, isNew: Bool = true) throws(ConfigError) -> SectionTable {
    if isNew { table = SectionTable() }
    warnings.removeAll()
    section = nil
    above = .nothing
    indent = 0
    lines = ConfigLines(lines.bytes, in: part, from: line)
    while let line = lines.next() { try read(line) }
    return table
  }

  init(_ bytes: UnsafeRawBufferPointer, file: String, kind: ConfigFileKind) {
    lines = ConfigLines(bytes)
    names = SettingNames(bytes)
    self.file = file
    self.kind = kind
  }

  private mutating func read(_ line: Range<Int>) throws(ConfigError) {
    let content = lines.trimmed(line)
    guard let first = content.first.map({ lines.bytes[$0] }), !Byte.startsComment(first) else { return }
    let indent = lines.width(line.lowerBound..<content.lowerBound)
    if indent > self.indent, try readContinuation(content) { return }
    self.indent = indent
    if first == Byte.open { try readHeader(content) } else { try readProperty(content) }
  }

  private mutating func readHeader(_ line: Range<Int>) throws(ConfigError) {
    guard let close = lines.first(Byte.close, in: line) else { throw expected("\"]\" at the end of the section's name") }
    let rest = lines.trimmed(close + 1..<line.upperBound)
    if !rest.isEmpty, !Byte.startsComment(lines.bytes[rest.lowerBound]) {
      warn("the text after \"]\" is ignored", line: lines.number)
    }
    let place = lines.trimmedOfASCII(line.lowerBound + 1..<close)
    above = .nothing
    guard place.count <= ConfigLimits.headerBytes else {
      section = .some(nil)
      warn("section ignored: its name is longer than \(ConfigLimits.nameBytes) bytes", line: lines.number)
      return
    }
    guard lines.isText(place) else { throw notText }
    switch SectionHeader(UnsafeRawBufferPointer(rebasing: lines.bytes[place]), in: kind) {
    case .section(let kind, let name, let bare):
      section = .some(table.open(kind, name, bare: bare, line: lines.number))
      warnOfUnseen(place, "the section's name")
    case .ignored(let why):
      section = .some(nil)
      warn(why + found(place), line: lines.number)
    }
  }

  private mutating func readProperty(_ line: Range<Int>) throws(ConfigError) {
    guard let section else { throw expected("a section, such as [default], before the first setting") }
    let (name, value) = try property(line, commentsEnd: true)
    guard let section else {
      above = .ignored
      return
    }
    if !name.isKnown { warnOfUnknown(name.text, section: section) }
    let origin = SettingOrigin(file: file, line: lines.number)
    if name.isSecret {
      try readSecret(name.text, value, section: section, origin: origin)
      return
    }
    let setting = Setting(name: name.text, value: .text(try text(value)), origin: origin)
    warnOfUnseen(value, "the value")
    let position = try put(setting, section: section)
    above = value.isEmpty ? .nested(section: section, setting: position) : .text(section: section, setting: position)
    if value.isEmpty { nestedNames.removeAll() }
  }

  private mutating func readSecret(_ name: String, _ value: Range<Int>, section: Int, origin: SettingOrigin) throws(ConfigError) {
    let bytes = UnsafeRawBufferPointer(rebasing: lines.bytes[value])
    let isSecret = bytes.allSatisfy { (33...126).contains($0) }
    if !isSecret {
      warn(
        "\(name) is not a valid secret: it must be visible ASCII without spaces\(found(value)); ignored",
        line: lines.number)
    }
    let setting = Setting(name: name, value: .text(bytes.isEmpty ? "" : SecretName.mask), origin: origin)
    let secret = bytes.isEmpty || !isSecret ? nil : SecretBytes(copying: bytes)
    try put(setting, secret: secret, section: section)
    above = .secret(section: section, name: name)
  }

  @discardableResult
  private mutating func put(_ setting: Setting, secret: SecretBytes? = nil, section: Int) throws(ConfigError) -> Int {
    let position = table.withSection(section) { $0.put(setting, secret: secret) }
    guard table.sections[section].settings.count <= ConfigLimits.settingsOfSection else {
      throw expected("at most \(ConfigLimits.settingsOfSection) settings in a section")
    }
    return position
  }

  /// - Returns: false if there is no value above that the line could continue.
  private mutating func readContinuation(_ line: Range<Int>) throws(ConfigError) -> Bool {
    switch above {
    case .nothing: return false
    case .ignored: break
    case .secret(let section, let name):
      // Half a secret is useless.
      table.withSection(section) { $0.dropSecret(name) }
      warn("\(name) must be on one line, but this line begins with a space: ignored", line: lines.number)
    case .text(let section, let setting):
      if isHeaderOrSetting(line) { warnOfSwallowed() }
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
      // A setting with nested settings belongs to other programs, such as s3.
      if name.isKnown, KnownSettings.ours.contains(table.sections[section].settings[setting].name),
        table.sections[section].kind != .services
      {
        warnOfSwallowed()
      }
      let value = name.isSecret ? SecretName.mask : try text(range)
      let known = nestedNames[name.text]
      if known == nil {
        guard nestedNames.count < ConfigLimits.nestedSettings else {
          throw expected("at most \(ConfigLimits.nestedSettings) lines in a nested value")
        }
        nestedNames[name.text] = nestedNames.count
      }
      table.withSection(section) { builder in
        builder.continueValue(at: setting) { nested in
          var list: [NestedSetting] = if case .nested(let list) = nested { list } else { [] }
          nested = .text("")
          if let known { list[known].value = value } else { list.append(NestedSetting(name: name.text, value: value)) }
          nested = .nested(list)
        }
      }
    }
    return true
  }

  /// Whether a continuation line would be a section header or a setting without its leading blank.
  private func isHeaderOrSetting(_ line: Range<Int>) -> Bool {
    if lines.bytes[line.lowerBound] == Byte.open {
      return lines.section(namedBy: line, in: kind) != nil
    }
    guard let equals = lines.first(Byte.equals, in: line) else { return false }
    let place = lines.trimmed(line.lowerBound..<equals)
    guard place.count <= ConfigLimits.nameBytes, let name = lines.text(place) else { return false }
    return KnownSettings.contains(name.lowercased())
  }

  private mutating func warnOfSwallowed() {
    warn(
      "an indented line continues the value above; if it is a setting of its own, remove the leading spaces", line: lines.number)
  }

  /// The name and the range of the value.
  private mutating func property(
    _ line: Range<Int>, commentsEnd: Bool
  ) throws(ConfigError) -> (name: SettingName, value: Range<Int>) {
    guard let equals = lines.first(Byte.equals, in: line) else { throw expected("\"name = value\"" + found(line)) }
    let place = lines.trimmed(line.lowerBound..<equals)
    guard !place.isEmpty else { throw expected("a name before \"=\"") }
    guard place.count <= ConfigLimits.nameBytes else {
      throw expected("a name of at most \(ConfigLimits.nameBytes) bytes before \"=\"")
    }
    let end = commentsEnd ? lines.endBeforeComment(equals + 1..<line.upperBound) : line.upperBound
    let (lines, file) = (lines, file)
    let name = try names.name(at: place) { () throws(ConfigError) in try Self.name(at: place, in: lines, file: file) }
    return (name, lines.trimmed(equals + 1..<end))
  }

  private static func name(at place: Range<Int>, in lines: ConfigLines, file: String) throws(ConfigError) -> SettingName {
    guard let text = lines.text(place)?.lowercased() else {
      throw .syntax(file: file, line: lines.number, expected: ConfigLines.expectedText)
    }
    let isSecret = SecretName.contains(text)
    // `export aws_secret_access_key = …`, or a blank in place of “=”: a secret would be part of the name, or of another setting's
    // value.
    guard isSecret || !SecretName.isMentioned(in: text) else {
      throw .syntax(file: file, line: lines.number, expected: "only the name of a secret before \"=\"")
    }
    return SettingName(text: text, isSecret: isSecret, isKnown: KnownSettings.contains(text))
  }

  /// Warns once per name that nothing uses the setting. In a `services` section, the names are those of services.
  private mutating func warnOfUnknown(_ name: String, section: Int) {
    guard table.sections[section].kind != .services, unknownNames.count < ConfigLimits.warnings,
      unknownNames.insert(name).inserted
    else { return }
    guard KnownSettings.canBeShown(name) else {
      let unseen = Array(name.utf8).withUnsafeBytes { Unseen.first(in: $0) }.map { ": it has \($0)" } ?? ""
      warn("unknown setting: kept, but without effect" + unseen, line: lines.number)
      return
    }
    let meant = Suggestion.nearest(to: name, in: KnownSettings.ours.sorted())
    let question = meant.map { "; did you mean \($0)?" } ?? ""
    warn("unknown setting \(name): kept, but without effect\(question)", line: lines.number)
  }

  /// Warns about an invisible character that the AWS CLI keeps, so that the value is not what it looks like.
  private mutating func warnOfUnseen(_ range: Range<Int>, _ what: String) {
    guard let unseen = Unseen.first(in: UnsafeRawBufferPointer(rebasing: lines.bytes[range])) else { return }
    warn("\(what) contains \(unseen)", line: lines.number)
  }

  /// The addition to a line's error if it has such a character.
  private func found(_ range: Range<Int>) -> String {
    Unseen.first(in: UnsafeRawBufferPointer(rebasing: lines.bytes[range])).map { "; this line has \($0)" } ?? ""
  }

  /// A continuation line, with a secret masked that was indented by mistake.
  private mutating func maskedText(_ line: Range<Int>) throws(ConfigError) -> String {
    let more = try text(line)
    guard SecretName.isMentioned(in: more.lowercased()) else { return more }
    warn("a secret that begins with a space is part of the value above; left out", line: lines.number)
    return SecretName.mask
  }

  private func text(_ range: Range<Int>) throws(ConfigError) -> String {
    guard let text = lines.text(range) else { throw notText }
    return text
  }

  private var notText: ConfigError { expected(ConfigLines.expectedText) }

  private func expected(_ what: String) -> ConfigError { .syntax(file: file, line: lines.number, expected: what) }

  private mutating func warn(_ text: String, line: Int) {
    guard warnings.count < ConfigLimits.warnings else {
      warningsLeftOut += 1
      return
    }
    warnings.append(ConfigWarning(file: file, line: line, text: text))
  }
}
