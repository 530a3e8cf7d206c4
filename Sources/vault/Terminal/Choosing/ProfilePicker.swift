import Glibc
import VaultAudit
import VaultBytes
import VaultDatabase
import VaultModel

/// Has the user choose a profile where a command names none: those used often and lately come first.
enum ProfilePicker {
  /// The user left the list: nothing is done and nothing said, as with Ctrl-C (exit status 130, as fzf has it).
  struct Left: Error {
    let exitStatus: Int32 = 128 + SIGINT
  }

  /// Whether a user is at a terminal; standard output may be captured.
  static var isPossible: Bool { isatty(0) == 1 && isatty(2) == 1 && Terminal.canAsk }

  /// - Returns: nil if nobody can be asked.
  /// - Throws: ``Left`` if the user left the list; no input, if there is no profile to choose.
  static func choose(_ paths: VaultPaths) throws -> String? { try choose(paths, several: false).first }

  /// - Returns: nothing if nobody can be asked.
  /// - Throws: ``Left`` if the user left the list; no input, if there is no profile to choose.
  static func chooseSeveral(_ paths: VaultPaths) throws -> [String] { try choose(paths, several: true) }

  private static func choose(_ paths: VaultPaths, several: Bool) throws -> [String] {
    guard isPossible else { return [] }
    let reader = try ReportCommands.reader(paths)
    let now = SystemClock().now()
    let profiles = ProfileChoices(try entries(reader, now), now: now) { try? reader.section(.profile, $0) }
    guard !profiles.entries.isEmpty else {
      let signIn = try reader.signInNames().first
      throw Failure(
        "there are no profiles yet",
        hint: signIn.map { "`vault login \(ShellText.word($0)) --discover` makes some" }
          ?? "`vault import` or `vault login URL` makes some",
        exitStatus: .noInput)
    }
    let screen = ChoiceScreen(question: several ? "profiles" : "profile", line: profiles.line) { list in
      "\(list.shown.count) of \(profiles.entries.count); type to narrow, \(several ? "Tab marks, " : "")Enter takes, Esc leaves"
    }
    guard let chosen = screen.choose(ChoiceList(profiles.texts, takesSeveral: several)) else { throw Left() }
    return chosen.map { profiles.entries[$0].name }
  }

  /// How many of the newest rows of the audit log count: a log of a million rows takes no longer than one of these.
  private static let rows: Int64 = 2_000
  /// After so many milliseconds a use counts half: three days.
  private static let halfLife = 3 * 86_400_000.0

  private static func entries(_ reader: VaultReader, _ now: Timestamp) throws -> [ProfileChoices.Entry] {
    var uses: [String: Double] = [:]
    try reader.forEachRequest(amongLast: rows) { profile, time in
      uses[profile, default: 0] += exp2(-Double(max(0, now.since(time))) / halfLife)
    }
    var used: [(entry: ProfileChoices.Entry, use: Double)] = []
    var unused: [ProfileChoices.Entry] = []
    var useless: [ProfileChoices.Entry] = []
    try reader.forEachProfileLine { row in
      let hasKind = !row.isEmpty(.kind)
      let entry = ProfileChoices.Entry(
        name: row.text(.name), kind: hasKind ? ProfileKind(rawValue: row.text(.kind)) : nil,
        role: hasKind && !row.isEmpty(.role) ? row.text(.role) : "", state: row.state(at: now), endsAt: row.endsAt)
      if !hasKind {
        useless.append(entry)
      } else if let use = uses[entry.name] {
        used.append((entry, use))
      } else {
        unused.append(entry)
      }
    }
    return used.sorted { ($1.use, $0.entry.name) < ($0.use, $1.entry.name) }.map(\.entry) + unused + useless
  }
}

extension Arguments {
  /// The profile of ``profile()``; if none is named, the one that the user chooses from the list.
  func profile(_ paths: VaultPaths) throws -> String {
    if positional.isEmpty, !has("source"), Self.namedProfile == nil, let chosen = try ProfilePicker.choose(paths) {
      return chosen
    }
    return try profile()
  }
}

/// The lines of a list of profiles.
struct ProfileChoices {
  struct Entry {
    let name: String
    /// Nil if the profile leads to no credentials.
    let kind: ProfileKind?
    /// An ARN, or empty.
    let role: String
    let state: SessionState
    let endsAt: Timestamp?
  }

  let entries: [Entry]
  let texts: SearchedTexts
  private let now: Timestamp
  private let section: (String) -> ConfigSection?
  private let nameColumns: Int

  /// - Parameter section: a profile's settings.
  init(_ entries: [Entry], now: Timestamp, section: @escaping (String) -> ConfigSection?) {
    self.entries = entries
    self.now = now
    self.section = section
    var texts = SearchedTexts()
    for entry in entries { texts.add(name: entry.name.utf8, details: entry.role.utf8) }
    self.texts = texts
    nameColumns = entries.reduce(0) { max($0, min(40, DisplayWidth.columns(of: safeText($1.name)))) }
  }

  /// Name, role and account, state: within so many columns.
  func line(_ index: Int, _ columns: Int) -> String {
    let entry = entries[index]
    let state = state(of: entry)
    let width = min(nameColumns, columns / 2)
    let room = columns - width - state.utf8.count - 4
    // In a narrow terminal, the name alone.
    guard room > 0 else { return DisplayWidth.cut(safeText(entry.name), to: columns, at: .middle) }
    return padded(safeText(entry.name), width) + "  " + padded(safeText(role(of: entry)), room) + "  " + state
  }

  private func padded(_ text: String, _ columns: Int) -> String {
    DisplayWidth.padded(DisplayWidth.cut(text, to: columns, at: .middle), to: columns)
  }

  private func role(of entry: Entry) -> String {
    if entry.kind == .sso, let section = section(entry.name) {
      return [section.text("sso_role_name"), section.text("sso_account_id")].compactMap { $0 }.joined(separator: " @ ")
    }
    let parts = entry.role.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, let name = parts[5].split(separator: "/").last else {
      return entry.kind?.rawValue ?? "no credentials"
    }
    return "\(name) @ \(parts[4])"
  }

  private func state(of entry: Entry) -> String {
    switch entry.state {
    case .none: ""
    case .fresh, .due: entry.endsAt.map { TimeText.length(seconds: max(0, $0.since(now) / 1_000)) + " left" } ?? ""
    default: entry.state.rawValue
    }
  }
}
