import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// `import --take-keys`, and the offer of it at a terminal: plain access keys leave the AWS files.
enum PlainKeysCommand {
  static let options = [
    OptionSpec("take-keys", "then take the plain access keys out of the files, once they work from the vault"),
    OptionSpec("link", "with --take-keys: leave a credential_process in their place, for other programs"),
  ]

  static func run(for files: ImportRequest, _ arguments: Arguments, _ paths: VaultPaths) throws {
    guard arguments.has("take-keys") || Dialogue.isPossible else { return }
    let found = try ask(files, dryRun: true, program: nil, paths).filter { $0.fault == nil }
    if found.isEmpty { return arguments.has("take-keys") ? Diagnostics.notice("the files have no plain access keys") : () }
    var isLinked = arguments.has("link")
    if !arguments.has("take-keys") {
      for key in found.prefix(10) {
        Diagnostics.notice("\(key.place): \(key.accessKeyId), the plain access key of \(key.profile)")
      }
      if found.count > 10 { Diagnostics.notice("and \(found.count - 10) more") }
      let what = found.count == 1 ? "this key" : "these \(found.count) keys"
      guard Dialogue.agrees("Take \(what) out of the \(found.count == 1 ? "file" : "files"), once proven to work from the vault?")
      else {
        return Diagnostics.notice("the files stay as they are; `vault import --take-keys` does it later")
      }
      isLinked = Dialogue.agrees("Do other programs use them? Leave a credential_process in their place, which asks vault?")
    }
    try show(try ask(files, dryRun: false, program: isLinked ? program() : nil, paths))
  }

  private static func ask(_ files: ImportRequest, dryRun: Bool, program: String?, _ paths: VaultPaths) throws -> [TakenKey] {
    try AgentClient(paths: paths).ask(TakeKeysRequest { ($0.files, $0.dryRun, $0.program) = (files, dryRun, program) })
  }

  private static func program() throws(Failure) -> String {
    guard let path = realpath("/proc/self/exe", nil) else {
      throw Failure("cannot find vault's own program file", exitStatus: .software)
    }
    defer { free(path) }
    return String(cString: path)
  }

  private static func show(_ keys: [TakenKey]) throws {
    for key in keys {
      if let fault = key.fault, key.backup != nil {
        Diagnostics.notice("\(key.profile): removed \(key.place), but: \(fault)")
      } else if let fault = key.fault {
        Diagnostics.notice("\(key.profile): its key stays at \(key.place): \(fault)")
      } else {
        Diagnostics.notice("\(key.profile): removed \(key.place), after AWS had accepted the vault's copy of \(key.accessKeyId)")
      }
    }
    for backup in Set(keys.compactMap(\.backup)).sorted() {
      Diagnostics.notice("backup: \(backup) holds the keys in plain text; once your programs work: rm \(ShellText.word(backup))")
    }
    let faulty = keys.filter { $0.fault != nil }
    let left = faulty.count { $0.backup == nil }
    guard left == 0 else {
      throw Failure(left == 1 ? "1 key stays in the files" : "\(left) keys stay in the files", exitStatus: .refused)
    }
    guard faulty.isEmpty else {
      throw Failure(
        "the removal of \(faulty.count == 1 ? "a key" : "\(faulty.count) keys") is not logged", exitStatus: .inputOutput)
    }
  }
}
