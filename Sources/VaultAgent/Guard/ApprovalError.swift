import VaultBytes
import VaultModel

/// Why a request that needs a person's agreement is not answered.
enum ApprovalError: ReportableError, Hashable {
  case denied(profile: String, way: String)
  case unanswered(profile: String, seconds: Int)
  /// Asked for, and not answered yet: the next request finds the answer.
  case waiting(profile: String, id: String)
  case unknownAsker
  /// Nobody is left whom an answer is for.
  case askerEnded
  /// What waits was revoked.
  case revoked
  case tooMany
  case tooManyOfTree(count: Int)
  case notWaiting(id: String)
  /// Those who may not answer.
  case noTerminal
  case ownTree
  /// The terminal and the request come from one process.
  case sharedOrigin(program: String, pid: Int32)
  /// The terminal began after the request, and it is unknown who started it.
  case newTerminal
  case automation
  case unknownApprover

  var message: String {
    switch self {
    case .denied(let profile, let way): "the confirmation for \"\(safeText(profile))\" was denied (\(safeText(way)))"
    case .unanswered(let profile, let seconds):
      "\"\(safeText(profile))\" needs a confirmation, and nobody gave one within \(seconds) s"
    case .waiting(let profile, _): "\"\(safeText(profile))\" waits for a confirmation"
    case .unknownAsker: "the kernel does not say which process asks for what needs a confirmation"
    case .askerEnded: "the program that asked has ended"
    case .revoked: "the request was revoked before anybody confirmed it"
    case .tooMany: "too many confirmations wait for an answer"
    case .tooManyOfTree(let count): "\(count) confirmations for these processes wait for an answer already"
    case .notWaiting(let id): "no confirmation \"\(safeText(String(id.prefix(80))))\" waits for an answer"
    case .noTerminal: "a confirmation is given at a terminal, and this process has none"
    case .ownTree: "the program that asks cannot confirm its own request: this terminal is one of its processes"
    case .sharedOrigin(let program, let pid):
      "this terminal cannot confirm the request: \(program.isEmpty ? "one process" : safeText(program)) (\(pid)) started both"
    case .newTerminal: "this terminal cannot confirm the request: it is newer than the request, and its origin is unknown"
    case .automation: "a program that acts by itself cannot confirm a request"
    case .unknownApprover: "the kernel does not say which process confirms"
    }
  }

  var hint: String? {
    switch self {
    case .denied: "run it again to be asked again"
    case .unanswered: "run it again, and answer the notification, or run `vault approve` in another terminal"
    case .waiting(_, let id): "answer the notification, or run `vault approve \(id)` in another terminal"
    case .askerEnded, .revoked: nil
    case .tooMany, .tooManyOfTree, .notWaiting: "`vault approve` shows what waits"
    case .sharedOrigin:
      "answer the notification, or run `vault approve` in a terminal of your desktop, of tmux, or of another login"
    case .newTerminal: "answer the notification, or run `vault approve` in a terminal that was open before the request"
    case .noTerminal, .ownTree, .automation: "answer the notification, or run `vault approve` in another terminal"
    case .unknownAsker, .unknownApprover: "run it outside the container"
    }
  }

  var exitStatus: ExitStatus {
    switch self {
    case .waiting, .tooMany, .tooManyOfTree: .temporary
    case .notWaiting: .noInput
    default: .refused
    }
  }
}
