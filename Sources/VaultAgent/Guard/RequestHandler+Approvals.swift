import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultWire

// `vault approve`.
extension RequestHandler {
  /// The longest text of a program about itself that is sent on.
  private static let maxLength = 1_024

  func waitingApprovals(_ context: RequestContext) async throws -> Done {
    for waiting in await approvals.waiting { try await context.connection.send(entry: Self.shown(waiting), clock) }
    return Done()
  }

  func approve(_ asked: ApproveRequest, _ context: RequestContext) async throws -> WaitingApproval {
    // Also one that only says of itself that it acts by itself.
    guard context.tree == nil else { throw ApprovalError.automation }
    let approver = context.requester
    let ancestry = Ancestry(of: approver.pid)
    let terminal = await BlockingPool.shared.run { AnsweringTerminal(of: ancestry) }
    let waiting = try await approvals.answer(
      asked.id, isAllowed: !asked.deny, by: approver, ancestry: ancestry, terminal: terminal)
    return Self.shown(waiting)
  }

  private static func shown(_ waiting: Approvals.Waiting) -> WaitingApproval {
    let (ask, requester) = (waiting.ask, waiting.ask.requester)
    return WaitingApproval { reply in
      reply.id = waiting.id
      reply.profile = ask.profile
      reply.role = ask.roleARN
      reply.program = String(requester.program.prefix(maxLength))
      reply.executable = String(requester.executable.prefix(maxLength))
      reply.pid = requester.pid
      reply.parents = requester.parents
      reply.directory = String(requester.directory.prefix(maxLength))
      reply.scope = ask.scope.shown
      reply.credentials = ask.credentials.rawValue
      reply.duration = ask.duration?.seconds
      reply.reason = ask.reason
      reply.automation = requester.automation?.name
      reply.run = requester.automation?.run
      reply.remembered = ask.remembered
      reply.requests = waiting.requests
      reply.asked = waiting.asked
      reply.expires = waiting.end
      reply.lines = ask.lines.map { line in WaitingApproval.Line { ($0.name, $0.value) = (line.name, line.value) } }
    }
  }
}
