import Glibc
import VaultModel

extension GuardRules {
  /// Reads the `[guard GLOB]` sections of the vault's own files, which use the grammar of the AWS config file.
  ///
  /// Never fails: what cannot be read guards everything that it could mean.
  ///
  /// - Parameters:
  ///   - files: absolute paths; a missing file counts as empty.
  ///   - home: the folder that is shown as `~`.
  public static func read(_ files: [String], home: String? = nil) -> GuardRules {
    GuardRules(files.flatMap { rules(of: $0, home: home) })
  }

  private static func rules(of path: String, home: String?) -> [GuardRule] {
    let shown = SharedConfig.shown(path, home: home)
    var status = stat()
    // A file that is missing has no rules; one that a link names, and that cannot be seen, may have any.
    if stat(path, &status) != 0, lstat(path, &status) == 0 {
      return [GuardRule(unreadable: GuardFault("a symbolic link to nothing", at: SettingOrigin(file: shown, line: 0)))]
    }
    do {
      let file = try ConfigFile(path, shown: shown)
      defer { withExtendedLifetime(file) {} }
      return try rules(in: file.bytes, file: shown)
    } catch {
      return [GuardRule(unreadable: GuardFault(text(of: error), at: SettingOrigin(file: shown, line: line(of: error))))]
    }
  }

  /// - Throws: for a text that the AWS config file's grammar does not allow, of which every line could mean anything.
  static func rules(in bytes: UnsafeRawBufferPointer, file: String) throws(ConfigError) -> [GuardRule] {
    _ = try ConfigParser.parse(bytes, file: file, kind: .config)
    var reader = GuardReader(bytes, file: file)
    return try reader.read()
  }

  private static func line(of error: ConfigError) -> Int { if case .syntax(_, let line, _) = error { line } else { 0 } }

  private static func text(of error: ConfigError) -> String {
    switch error {
    case .syntax(_, _, let expected): "expected \(expected)"
    case .unreadable(_, let problem): problem
    default: error.message
    }
  }
}

/// Reads the guard rules of one file whose syntax has been checked.
private struct GuardReader {
  private static let maximumLines = 10_000

  private let file: String
  private var lines: ConfigLines
  private var rules: [GuardRule] = []
  /// The open section's rule; nil in a section of another kind.
  private var rule: GuardRule?
  /// As the grammar has it: a line indented further than this continues the setting above.
  private var indent = 0
  private var isBelowSetting = false
  private var guardLines = 0

  init(_ bytes: UnsafeRawBufferPointer, file: String) {
    lines = ConfigLines(bytes)
    self.file = file
  }

  private var here: SettingOrigin { SettingOrigin(file: file, line: lines.number) }

  mutating func read() throws(ConfigError) -> [GuardRule] {
    while let line = lines.next() {
      let content = lines.trimmed(line)
      guard let first = content.first.map({ lines.bytes[$0] }), !Byte.startsComment(first) else { continue }
      let indent = lines.width(line.lowerBound..<content.lowerBound)
      let isContinuation = indent > self.indent && isBelowSetting
      if !isContinuation { self.indent = indent }
      if first == Byte.open {
        if isContinuation { throw expected("a section's header without spaces before it") }
        open(content)
      } else {
        try read(content, isContinuation: isContinuation)
        isBelowSetting = true
      }
    }
    close()
    return rules
  }

  private mutating func open(_ line: Range<Int>) {
    close()
    isBelowSetting = false
    guard let end = lines.first(Byte.close, in: line) else { return }
    let place = lines.trimmedOfASCII(line.lowerBound + 1..<end)
    // The parser has refused what is not text.
    guard place.count <= ConfigLimits.headerBytes, let header = lines.text(place) else { return }
    let kind = header.prefix { $0 != " " && $0 != "\t" }
    guard kind == "guard" else { return }
    let start = lines.trimmedOfASCII(place.lowerBound + kind.utf8.count..<place.upperBound)
    let glob = SectionHeader.unquoted(UnsafeRawBufferPointer(rebasing: lines.bytes[start]))
      .flatMap { GuardGlob(String(decoding: $0, as: UTF8.self)) }
    let rest = lines.trimmed(end + 1..<line.upperBound)
    let isWhole = rest.isEmpty || Byte.startsComment(lines.bytes[rest.lowerBound])
    var rule = GuardRule(section: header, origin: here, glob: isWhole ? glob ?? .all : .all)
    if glob == nil || !isWhole {
      rule.note(
        GuardFault(
          "expected one pattern of a profile's name or a role's ARN with * and ?; it guards every profile", at: here))
    }
    self.rule = rule
  }

  private mutating func close() {
    if let rule { rules.append(rule) }
    rule = nil
  }

  private mutating func read(_ line: Range<Int>, isContinuation: Bool) throws(ConfigError) {
    let equals = lines.first(Byte.equals, in: line)
    let name = equals.flatMap { lines.text(lines.trimmed(line.lowerBound..<$0)) }?.lowercased() ?? ""
    let value = equals.flatMap { lines.text(lines.trimmed($0 + 1..<lines.endBeforeComment($0 + 1..<line.upperBound))) } ?? ""
    guard rule != nil || GuardKey(rawValue: name) != nil else { return }
    guardLines += 1
    guard guardLines <= Self.maximumLines else { throw expected("at most \(Self.maximumLines) lines of guard rules") }
    let here = here
    if rule != nil {
      if isContinuation {
        rule?.block(GuardFault("an indented line continues the setting above; remove the spaces before it", at: here))
      } else {
        rule?.read(name, value, at: here)
      }
      return
    }
    // A header that was mistyped or forgotten.
    var stray = GuardRule(section: name, origin: here, glob: .all)
    stray.note(GuardFault("\(name) is not in a [guard GLOB] section; it guards every profile", at: here))
    stray.read(name, value, at: here)
    rules.append(stray)
  }

  private func expected(_ what: String) -> ConfigError { .syntax(file: file, line: lines.number, expected: what) }
}

extension GuardRules {
  /// The settings files whose rules others than their owner can take away.
  ///
  /// - Parameters:
  ///   - files: absolute paths.
  ///   - home: the folder that is shown as `~`.
  public static func exposed(_ files: [String], home: String? = nil) -> [GuardFault] {
    files.compactMap { path in
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      let origin = SettingOrigin(file: SharedConfig.shown(path, home: home), line: 0)
      if path == VaultPaths.machineSettings, status.st_uid != 0 || status.st_mode & 0o022 != 0 {
        return GuardFault("others than root can change it, and with it the rules that must hold", at: origin)
      }
      return status.st_mode & 0o002 != 0 ? GuardFault("any user can change it, and with it its guard rules", at: origin) : nil
    }
  }
}
