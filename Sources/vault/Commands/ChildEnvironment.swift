import CSystem
import Glibc
import VaultModel
import VaultWire

/// The environment of the command that `vault exec` becomes: this process's, with the credentials and without variables that would
/// override them.
struct ChildEnvironment {
  /// Variables that an SDK would use instead of, or in addition to, the credentials.
  static let removed: Set<String> = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID", "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_VAULT",
    "VAULT_PROFILE", OwnRegion.mark,
  ]
  /// Passed to `execve`, which frees it, as does the end of this process.
  private var entries: [UnsafeMutablePointer<CChar>?] = []

  /// - Parameter run: the run whose tree the command is; nil to leave the variable as it is.
  init(_ reply: IssuedReply, profile: String, run: String? = nil) {
    var entry = sys_environment()
    while let variable = entry?.pointee {
      let isOtherRun = run != nil && strncmp(variable, AgentVariables.run + "=", AgentVariables.run.utf8.count + 1) == 0
      if !isOtherRun, !Self.isReplaced(variable, regionIsKnown: reply.region != nil) { entries.append(variable) }
      entry = entry?.advanced(by: 1)
    }
    reply.forEachVariable(of: profile) { entries.append(Self.entry($0, $1)) }
    if let run { entries.append(strdup("\(AgentVariables.run)=\(run)")) }
    entries.append(nil)
  }

  private static func isReplaced(_ variable: UnsafeMutablePointer<CChar>, regionIsKnown: Bool) -> Bool {
    let first = UInt8(bitPattern: variable.pointee)
    guard first == UInt8(ascii: "A") || first == UInt8(ascii: "V"), let equals = strchr(variable, Int32(UInt8(ascii: "="))) else {
      return false
    }
    let name = String(decoding: UnsafeRawBufferPointer(start: variable, count: equals - variable), as: UTF8.self)
    if removed.contains(name) { return true }
    guard OwnRegion.names.contains(name) else { return false }
    return regionIsKnown || OwnRegion.set(name, String(cString: equals + 1))
  }

  private static func entry(_ name: String, _ value: UnsafeRawBufferPointer) -> UnsafeMutablePointer<CChar>? {
    let length = name.utf8.count + 1 + value.count
    guard let text = malloc(length + 1) else { return nil }
    let bytes = UnsafeMutableRawBufferPointer(start: text, count: length + 1)
    bytes.copyBytes(from: name.utf8)
    bytes[name.utf8.count] = UInt8(ascii: "=")
    UnsafeMutableRawBufferPointer(rebasing: bytes[(name.utf8.count + 1)...]).copyMemory(from: value)
    bytes[length] = 0
    return text.assumingMemoryBound(to: CChar.self)
  }

  /// Replaces this process with the command, found in `PATH` as `execvp` does.
  ///
  /// - Returns: only on failure: the reason, with status 127 for a missing command and 126 for one that cannot run.
  func become(_ command: [String]) -> Failure {
    let name = command[0]
    var arguments = command.map { strdup($0) }
    arguments.append(nil)
    var environment = entries
    var found: Int32 = ENOENT
    var hasNoInterpreter = false
    for candidate in Self.candidates(name) {
      execve(candidate, &arguments, &environment)
      // A shell runs a file without `#!` as a script (POSIX, execvp).
      if errno == ENOEXEC {
        var script = [strdup("/bin/sh"), strdup(candidate)] + arguments.dropFirst()
        execve("/bin/sh", &script, &environment)
      }
      if errno == ENOENT, access(candidate, F_OK) == 0 { hasNoInterpreter = true }
      if errno != ENOENT && errno != ENOTDIR { found = errno }
    }
    if found == ENOENT, hasNoInterpreter {
      return Failure(
        "\(name): cannot execute: its interpreter is not found", hint: "see the file's first line (`#!…`)",
        exitStatus: .cannotExecute)
    }
    if found == ENOENT { return Failure("\(name): command not found", exitStatus: .commandNotFound) }
    return Failure("\(name): cannot execute: \(String(cString: strerror(found)))", exitStatus: .cannotExecute)
  }

  static func candidates(_ name: String) -> [String] {
    if name.isEmpty { return [] }
    if name.contains("/") { return [name] }
    let path = variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":", omittingEmptySubsequences: false).map { $0.isEmpty ? "./\(name)" : "\($0)/\(name)" }
  }
}

extension IssuedReply {
  /// The variables that are set for a profile with these credentials.
  func forEachVariable(of profile: String, _ add: (String, UnsafeRawBufferPointer) -> Void) {
    func text(_ name: String, _ value: String?) {
      guard var value else { return }
      value.withUTF8 { add(name, UnsafeRawBufferPointer($0)) }
    }
    text("VAULT_PROFILE", profile)
    text("AWS_VAULT", profile)
    text("AWS_ACCESS_KEY_ID", accessKeyId)
    secretAccessKey?.withBytes { add("AWS_SECRET_ACCESS_KEY", $0) }
    sessionToken?.withBytes { add("AWS_SESSION_TOKEN", $0) }
    text("AWS_CREDENTIAL_EXPIRATION", expiration?.iso8601)
    text("AWS_ACCOUNT_ID", accountId)
    for name in OwnRegion.names { text(name, region) }
    text("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint)
    endpointToken?.withBytes { add("AWS_CONTAINER_AUTHORIZATION_TOKEN", $0) }
    text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", tokenFile)
    if let region, OwnRegion.isNew(region) { text(OwnRegion.mark, region) }
  }
}
