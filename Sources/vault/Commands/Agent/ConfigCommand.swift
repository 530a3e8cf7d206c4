import AWSConfig
import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// `vault config`: the agent's settings, from the machine's file and the user's, which takes precedence.
enum ConfigCommand {
  static let command = Command(
    "config",
    arguments: [
      ArgumentSpec("KEY", kind: .words(OwnSetting.all.map(\.name)), isOptional: true),
      ArgumentSpec("VALUE", kind: .text, isOptional: true),
    ], topic: .upkeep,
    summary: "show or change settings",
    examples: [
      Example("vault config", "every setting and where it comes from"),
      Example("vault config lock_after \"15m idle\"", "lock after a quarter of an hour"),
      Example("vault config --add trusted_endpoints http://127.0.0.1:4566", "trust another endpoint too"),
    ],
    options: [
      OptionSpec("add", "add the value to a list, such as trusted_endpoints"),
      OptionSpec("unset", "remove the setting from your file"),
      Table.wideOption,
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let words = arguments.positional
    guard words.count <= 2, !arguments.has("unset") || words.count == 1, !arguments.has("add") || words.count == 2 else {
      throw Failure("expected one setting and at most one value", hint: "vault config KEY VALUE", exitStatus: .usage)
    }
    guard let name = words.first else { return try show(OwnSetting.all, isWide: arguments.has(Table.wideOption.name), paths) }
    guard let setting = OwnSetting.all.first(where: { $0.name == name }) else {
      throw Failure(
        "unknown setting: \"\(name)\"", hint: OwnSetting.all.map { "\($0.name): \($0.help)" }.joined(separator: "; "),
        exitStatus: .usage)
    }
    guard words.count == 2 || arguments.has("unset") else {
      return try show([setting], isWide: arguments.has(Table.wideOption.name), paths)
    }
    if words.count == 2, !setting.isValid(words[1]) {
      throw Failure("invalid value for \(name): use \(setting.values)", exitStatus: .usage)
    }
    if arguments.has("add") {
      guard OwnSetting.lists.contains(name) else {
        throw Failure(
          "\(name) is not a list", hint: "lists: " + OwnSetting.lists.sorted().joined(separator: ", "), exitStatus: .usage)
      }
      try add(setting, words[1], paths: paths)
    } else {
      try write(name, words.count == 2 ? words[1] : nil, paths: paths)
    }
    // A running agent logs the change and applies it; otherwise the next agent does so when it starts.
    let isTold = try AgentClient(paths: paths).askRunning(.settings) != nil
    if !setting.isLive, isTold {
      Diagnostics.notice("takes effect when the agent starts: stop the running one with `vault agent stop`")
    }
  }

  /// Adds a value to a list in the user's file, unless it is already there.
  static func add(_ setting: OwnSetting, _ value: String, paths: VaultPaths) throws {
    let files = paths.settingsFiles.suffix(1)
    let known = try SharedConfig.ownSettings(of: Array(files), home: variable("HOME"))[setting.name]?.text ?? ""
    guard !known.split(separator: " ").contains(where: { $0 == value }) else { return }
    try write(setting.name, known.isEmpty ? value : known + " " + value, paths: paths)
  }

  private static func write(_ name: String, _ value: String?, paths: VaultPaths) throws {
    // The agent would refuse it too, but only after the file was written.
    guard variable(AgentVariables.run) == nil else {
      throw Failure(
        "an automation run cannot change settings", hint: "do it in a terminal outside of the run", exitStatus: .refused)
    }
    guard let file = paths.settingsFiles.last else { throw Failure("no settings file: HOME is not set", exitStatus: .software) }
    makeFolder(of: file)
    try EditedFile(path: file).edit { before in put(name, value, into: before) }
  }

  private static func show(_ settings: [OwnSetting], isWide: Bool, _ paths: VaultPaths) throws {
    let values = try SharedConfig.ownSettings(of: paths.settingsFiles, home: variable("HOME"))
    var output = Output()
    var table = Table([.whole("SETTING"), .text("VALUE"), .name("FROM", rank: 1)], isWide: isWide)
    var facts: [(name: String, value: String, note: String)] = []
    for setting in settings {
      let fromVariable = setting.variable.flatMap { variable($0) }.flatMap { $0.isEmpty ? nil : $0 }
      let value =
        fromVariable.map { ($0, setting.variable ?? "") } ?? values[setting.name].map { ($0.text ?? "", $0.origin.description) }
        ?? ownStore(setting, paths).map { ($0, "the vault") } ?? (setting.defaultValue, "default")
      table.add([setting.name, value.0, value.1])
      facts.append((setting.name, value.0, value.1))
    }
    // A single setting is asked for its value, which is shown whole.
    if settings.count == 1, !table.fits { output.facts(facts) } else { table.write(to: &output) }
    output.flush()
  }

  /// Where this vault's key is: an existing vault keeps its store, whatever the default for a new one.
  private static func ownStore(_ setting: OwnSetting, _ paths: VaultPaths) -> String? {
    guard setting.name == "keystore", access(paths.database, F_OK) == 0 else { return nil }
    return try? VaultReader(path: paths.database).keyRecords().first { $0.state == .active }?.store
  }

  private static func makeFolder(of file: String) {
    let folder = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)])
    if let parent = folder.lastIndex(of: "/"), parent > folder.startIndex { mkdir(String(folder[..<parent]), 0o700) }
    mkdir(folder, 0o700)
  }

  /// The file with one line of `[default]` changed, added or removed; the rest is unchanged.
  private static func put(_ name: String, _ value: String?, into bytes: [UInt8]) -> [UInt8] {
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    if lines.last?.isEmpty == true { lines.removeLast() }
    func word(_ line: String) -> String { String(line.prefix { $0 != "=" && $0 != "#" }).filter { !$0.isWhitespace } }
    let header = lines.firstIndex { word($0) == "[default]" }
    let end = header.map { start in lines[(start + 1)...].firstIndex { word($0).hasPrefix("[") } ?? lines.count } ?? lines.count
    let there = header.flatMap { start in lines[(start + 1)..<end].firstIndex { word($0) == name && $0.contains("=") } }
    // A line indented further than the one above would become part of that line's value.
    let model = there ?? header.flatMap { start in lines[(start + 1)..<end].firstIndex { !word($0).isEmpty } }
    let indent = model.map { lines[$0].prefix { $0 == " " || $0 == "\t" } } ?? ""
    let line = value.map { "\(indent)\(name) = \($0)" }
    switch (there, line) {
    case (let there?, let line?): lines[there] = line
    case (let there?, nil): lines.remove(at: there)
    case (nil, let line?):
      if header == nil { lines.insert("[default]", at: 0) }
      lines.insert(line, at: (header ?? 0) + 1)
    case (nil, nil): break
    }
    return Array((lines.joined(separator: "\n") + (lines.isEmpty ? "" : "\n")).utf8)
  }
}
