import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// The variables of the shell that `vuse` switches: as they are, and as they were before it was switched.
///
/// The shell keeps what they were before in a variable that no other program gets. While vault works for the shell, its own
/// environment is the one from before, so that a profile is resolved as if the shell had never been switched.
struct SwitchedShell {
  private static let names = ChildEnvironment.removed.union(OwnRegion.names).sorted()
  private static let record = "__vuse_before"

  private let present: [String: String]
  private let before: [String: String]
  private let isSwitched: Bool

  /// - Throws: bad data, if the record was changed.
  init() throws(Failure) {
    present = Dictionary(uniqueKeysWithValues: Self.names.compactMap { name in variable(name).map { (name, $0) } })
    let text = variable(Self.record) ?? ""
    unsetenv(Self.record)
    isSwitched = !text.isEmpty
    guard isSwitched else {
      before = present
      return
    }
    guard let before = Self.decoded(text) else {
      throw Failure("\(Self.record) is not what vuse wrote there", hint: "start a new shell", exitStatus: .badData)
    }
    self.before = before
    for name in Self.names {
      if let value = before[name] { setenv(name, value, 1) } else { unsetenv(name) }
    }
  }

  /// Switches to a profile that is served.
  ///
  /// - Parameters:
  ///   - session: the session whose end the prompt asks for; nil for the profile's own.
  ///   - until: when it expires.
  func switched(
    to profile: String, _ reply: IssuedReply, session: String?, until: Timestamp?, _ format: EnvFormat
  ) -> [UInt8] {
    var target = before.filter { !ChildEnvironment.removed.contains($0.key) && !OwnRegion.set($0.key, $0.value) }
    reply.forEachVariable(of: profile) { target[$0] = String(decoding: $1, as: UTF8.self) }
    if !isSwitched { tell(of: target) }
    var own: [(name: String, value: String?)] = [
      (Self.record, Self.encoded(before)), ("__vuse_profile", profile), ("__vuse_until", until.map { String($0.seconds) }),
      ("__vuse_session", session),
    ]
    if let old, old != profile { own.append(("__vuse_previous", old)) }
    return text(target, own: own, in: format)
  }

  /// Restores what was before.
  func restored(_ format: EnvFormat) -> [UInt8] {
    guard isSwitched else { return [] }
    let removed = [Self.record, "__vuse_profile", "__vuse_until", "__vuse_session"].map { (name: $0, value: String?.none) }
    return text(before, own: removed + (old.map { [("__vuse_previous", $0)] } ?? []), in: format)
  }

  /// Ends what is served to the shell now; a shell that is switched is served nothing else.
  func release(_ paths: VaultPaths) {
    guard isSwitched, let token = present["AWS_CONTAINER_AUTHORIZATION_TOKEN"] else { return }
    do {
      _ = try AgentClient(paths: paths).askRunning(ReleaseRequest { $0.token = WireBytes(token) })
    } catch {
      Diagnostics.notice("\(old ?? "the profile") is served to this shell until it ends: \(Failure(error).message)")
    }
  }

  /// The profile to which the shell is switched.
  private var old: String? { isSwitched ? present["VAULT_PROFILE"] : nil }

  private func text(_ target: [String: String], own: [(name: String, value: String?)], in format: EnvFormat) -> [UInt8] {
    let changed = Self.names.filter { target[$0] != present[$0] }
    return format.text(
      set: changed.compactMap { name in target[name].map { (name, $0) } }, unset: changed.filter { target[$0] == nil }, own: own,
      restores: target == before)
  }

  /// Says what of the user's own is replaced.
  private func tell(of target: [String: String]) {
    if let outer = before["VAULT_PROFILE"] {
      return Diagnostics.notice("in place of \(outer), which `vuse --off` restores")
    }
    let replaced = Self.names.filter { name in before[name].map { $0 != target[name] } ?? false }
    if !replaced.isEmpty { Diagnostics.notice("replaced until `vuse --off`: \(replaced.joined(separator: ", "))") }
  }

  // MARK: the record

  /// `NAME=hexadecimal`, separated by blanks; `-` if there are none.
  private static func encoded(_ variables: [String: String]) -> String {
    let entries = variables.sorted { $0.key < $1.key }.map { name, value in
      name + "=" + value.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    return entries.isEmpty ? "-" : entries.joined(separator: " ")
  }

  private static func decoded(_ text: String) -> [String: String]? {
    var variables: [String: String] = [:]
    for entry in text == "-" ? [] : text.split(separator: " ") {
      let parts = entry.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, names.contains(String(parts[0])), parts[1].utf8.count % 2 == 0 else { return nil }
      var bytes: [UInt8] = []
      var digits = parts[1]
      while !digits.isEmpty {
        guard let byte = UInt8(digits.prefix(2), radix: 16), byte != 0 else { return nil }
        bytes.append(byte)
        digits = digits.dropFirst(2)
      }
      variables[String(parts[0])] = String(decoding: bytes, as: UTF8.self)
    }
    return variables
  }
}

/// The forms of `vault env` that `vuse` calls.
enum SwitchCommand {
  static let options = [
    OptionSpec(
      "for-pid", value: "PID", kind: .number,
      "serve renewed credentials on loopback to the shell with this process ID, which runs this command, until it ends"),
    OptionSpec("off", "with --for-pid: restore the shell's variables and end what is served to it"),
    OptionSpec(
      "until", "print only when the session of PROFILE, or with this ID, expires, in seconds since 1970 (0: there is none)"),
  ]

  /// - Returns: false for an ordinary `vault env`.
  static func run(_ arguments: Arguments, in format: EnvFormat, _ paths: VaultPaths) throws -> Bool {
    var output = Output()
    if arguments.has("until") {
      output.line(String(try end(of: arguments.profile(), paths)?.seconds ?? 0))
    } else if let text = arguments["for-pid"] {
      guard let pid = Int32(text), pid > 0 else { throw Failure("--for-pid: \"\(text)\" is no process ID", exitStatus: .usage) }
      guard format == .sh || format == .fish else {
        throw Failure("--for-pid: a shell cannot read --format \(format.rawValue)", hint: "use sh or fish", exitStatus: .usage)
      }
      let shell = try SwitchedShell()
      if arguments.has("off") {
        shell.release(paths)
        output.write(bytes: shell.restored(format))
      } else {
        // AWS_PROFILE is what the shell had before: `vuse` alone asks.
        let named = try arguments.source() ?? arguments.single("PROFILE", required: false)
        guard let profile = try named ?? ProfilePicker.choose(paths) else {
          throw Failure("missing argument: PROFILE", hint: "vuse PROFILE", exitStatus: .usage)
        }
        let request = try IssueRequest(arguments, profile: profile, trigger: .server).served(to: pid)
        let reply = try AgentClient(paths: paths).ask(request)
        shell.release(paths)
        let session = request.scope == nil && request.role == nil ? nil : reply.sessionId
        let end = try end(of: session ?? profile, paths)
        output.write(bytes: shell.switched(to: profile, reply, session: session, until: end, format))
      }
    } else if arguments.has("off") {
      throw Failure("--off needs --for-pid", exitStatus: .usage)
    } else {
      return false
    }
    output.flush()
    return true
  }

  private static func end(of name: String, _ paths: VaultPaths) throws -> Timestamp? {
    let reader = try VaultReader(path: paths.database)
    if let own = try reader.currentSession(of: name) { return own.endedAt == nil ? own.expiresAt : nil }
    return try reader.end(ofSuccessorsOf: name)
  }
}

extension IssueRequest {
  fileprivate func served(to shell: Int32) throws(Failure) -> IssueRequest {
    if noSession { throw Failure("--no-session and --for-pid cannot be combined", hint: "omit one of them", exitStatus: .usage) }
    var request = self
    (request.server, request.shell) = (true, Int(shell))
    return request
  }
}
