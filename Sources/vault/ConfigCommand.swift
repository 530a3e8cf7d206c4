import AWSConfig
import Glibc
import VaultModel

/// `vault config`: the agent's settings, of the machine's file and of the person's, which counts.
enum ConfigCommand {
  private struct Known {
    let name: String
    /// Those that it can have, the standard first; none where it is free.
    let values: [String]
    let help: String
  }

  private static let known = [
    Known(name: "keystore", values: ["secret-service", "passphrase"], help: "where a new vault's master key is kept"),
    Known(name: "agent_life", values: ["login", "programs"], help: "whether the agent ends with the last program it served"),
    Known(name: ShipCommand.setting, values: [], help: "the team's PostgreSQL, for `vault audit ship`"),
  ]

  static let command = Command(
    "config", "[KEY [VALUE]]", "settings: all, one, or a new value for one",
    options: [Option("unset", "take the setting out of your file")], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let words = arguments.positional
    guard words.count <= 2, !arguments.has("unset") || words.count == 1 else {
      throw Failure("a setting and a value", hint: "vault config KEY VALUE", exitStatus: .usage)
    }
    guard let name = words.first else { return try show(known.map(\.name), paths) }
    guard let setting = known.first(where: { $0.name == name }) else {
      throw Failure(
        "no setting \"\(name)\"", hint: known.map { "\($0.name): \($0.help)" }.joined(separator: "; "), exitStatus: .usage)
    }
    guard words.count == 2 || arguments.has("unset") else { return try show([name], paths) }
    if words.count == 2 { try check(words[1], setting) }
    guard let file = paths.settingsFiles.last else { throw Failure("there is no place for settings", exitStatus: .software) }
    makeFolder(of: file)
    try EditedFile(path: file).edit { before in put(name, words.count == 2 ? words[1] : nil, into: before) }
    guard setting.values.isEmpty == false else { return }
    Diagnostics.notice("the agent reads it when it starts: `vault agent stop` ends the one that runs")
  }

  private static func check(_ value: String, _ setting: Known) throws(Failure) {
    guard setting.values.isEmpty else {
      guard setting.values.contains(value) else {
        throw Failure("\(setting.name) is one of " + setting.values.joined(separator: ", "), exitStatus: .usage)
      }
      return
    }
    try TeamSource.check(value)
  }

  private static func show(_ names: [String], _ paths: VaultPaths) throws {
    let values = try SharedConfig.ownSettings(of: paths.settingsFiles, home: variable("HOME"))
    var output = Output()
    var table = Table(["SETTING", "VALUE", "FROM"])
    for name in names {
      let standard = known.first { $0.name == name }?.values.first ?? ""
      let fromVariable = variable("VAULT_" + name.uppercased()).flatMap { $0.isEmpty ? nil : $0 }
      let value =
        fromVariable.map { ($0, "VAULT_" + name.uppercased()) } ?? values[name].map { ($0.text ?? "", $0.origin.description) }
        ?? (standard, "default")
      table.add([name, value.0, value.1])
    }
    table.write(to: &output)
    output.flush()
  }

  private static func makeFolder(of file: String) {
    let folder = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)])
    if let parent = folder.lastIndex(of: "/"), parent > folder.startIndex { mkdir(String(folder[..<parent]), 0o700) }
    mkdir(folder, 0o700)
  }

  /// The file with one line of `[default]` changed, added or taken out; all else stays.
  private static func put(_ name: String, _ value: String?, into bytes: [UInt8]) -> [UInt8] {
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    if lines.last?.isEmpty == true { lines.removeLast() }
    func word(_ line: String) -> String { String(line.prefix { $0 != "=" && $0 != "#" }).filter { !$0.isWhitespace } }
    let header = lines.firstIndex { word($0) == "[default]" }
    let end = header.map { start in lines[(start + 1)...].firstIndex { $0.hasPrefix("[") } ?? lines.count } ?? lines.count
    let there = header.flatMap { start in lines[(start + 1)..<end].firstIndex { word($0) == name && $0.contains("=") } }
    let line = value.map { "\(name) = \($0)" }
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
