import AWSConfig
import VaultAudit
import VaultDatabase
import VaultModel

/// A living process, or a file, that holds keys which AWS may still accept.
struct Holder {
  /// How it got them.
  enum Way: String {
    case exec, server, credentials, env, file
  }

  let profile: String
  let accessKeyId: String
  /// Nil for long-term keys.
  let session: SessionRecord?
  /// Nil for a file.
  let process: LivingProcess?
  /// The program as the log has it; for a file, its path.
  let program: String
  let way: Way
  let since: Timestamp
  let expiresAt: Timestamp?
  var parents: [Ancestor] = []
  var automation: AutomationRun?
}

/// Who holds what: the rows of deliveries, held against the processes that run.
struct Holders {
  /// How much later than its row a process may seem to have started, in milliseconds: the kernel counts starts in hundredths of a
  /// second since boot, and the clock that rows are timed by may have been set meanwhile.
  static let tolerance: Int64 = 2_000

  let user: UInt32
  /// The living process of an ID.
  let process: (Int32) -> LivingProcess?

  /// The process that a delivery reached, if it still runs. `vault env` and `vault credentials` ended with their answer: the process that
  /// had started them took it.
  func process(of row: AuditRecord) -> LivingProcess? {
    let who = row.event.requester
    switch row.event.trigger {
    case .exec, .server: return living(who.pid, at: row.time)
    case .env, .credentials:
      if let asker = living(who.pid, at: row.time) { return asker }
      // The file tells a process from another that has its number now; the start time does not, where none was recorded.
      for ancestor in who.parents where ancestor.pid > 1 {
        guard let process = living(ancestor.pid, at: row.time) else { continue }
        if ancestor.executable.isEmpty || ancestor.executable == process.executable { return process }
      }
      return nil
    // The agent's own work for files; the console's is no process's.
    case .rotation, .console, .manual, .start, .automatic: return nil
    }
  }

  private func living(_ pid: Int32, at time: Timestamp) -> LivingProcess? {
    guard pid > 0, let process = process(pid), process.user == user,
      process.startedAt <= time.adding(milliseconds: Self.tolerance)
    else { return nil }
    return process
  }

  /// The processes above one, the nearest first.
  func parents(of process: LivingProcess) -> [Ancestor] {
    var chain: [Ancestor] = []
    var next = process.parent
    while next > 0, chain.count < Ancestor.maxCount, let parent = self.process(next) {
      chain.append(Ancestor(pid: parent.pid, executable: parent.executable))
      next = parent.parent
    }
    return chain
  }

  /// The holders of what was delivered, each key once a process and way.
  ///
  /// - Parameters:
  ///   - served: the processes that have a lease, and the profiles of it.
  ///   - first: when a process was first given a session; nil for the row's own time.
  func holders(
    of deliveries: [LiveDelivery], served: [(process: ProcessIdentity, profile: String)],
    first: (SessionRecord, LivingProcess) throws -> Timestamp?
  ) rethrows -> [Holder] {
    struct Key: Hashable {
      let pid: Int32
      let accessKeyId: String
      let way: Holder.Way
    }
    var found: [Key: Holder] = [:]
    for delivery in deliveries {
      let event = delivery.row.event
      guard let process = process(of: delivery.row), let profile = event.profile, let accessKeyId = event.accessKeyId else {
        continue
      }
      let isServed = served.contains {
        $0.process.pid == process.pid && $0.process.started == process.ticks && $0.profile == profile
      }
      let way: Holder.Way =
        switch event.trigger {
        case .env: .env
        case .credentials: .credentials
        case .server: .server
        default: isServed ? .server : .exec
        }
      let since = try delivery.session.flatMap { try first($0, process) } ?? delivery.row.time
      let key = Key(pid: process.pid, accessKeyId: accessKeyId, way: way)
      if let known = found[key], known.since <= since { continue }
      let isAsker = process.pid == event.requester.pid
      found[key] = Holder(
        profile: profile, accessKeyId: accessKeyId, session: delivery.session, process: process,
        program: isAsker && !event.requester.program.isEmpty ? event.requester.program : process.executable, way: way,
        since: since,
        expiresAt: event.expiresAt, parents: parents(of: process), automation: event.requester.automation)
    }
    return found.values.sorted {
      ($0.profile, $0.since.milliseconds, $0.process?.pid ?? 0, $0.accessKeyId)
        < ($1.profile, $1.since.milliseconds, $1.process?.pid ?? 0, $1.accessKeyId)
    }
  }

  /// The files whose section has one of these keys now.
  static func files(
    _ links: [(path: String, section: String, profile: String, since: Timestamp)], sessions: [SessionRecord],
    key: (_ path: String, _ section: String) -> String?
  ) -> [Holder] {
    links.compactMap { link in
      guard let id = key(link.path, link.section), let session = sessions.first(where: { $0.accessKeyId == id }) else {
        return nil
      }
      return Holder(
        profile: link.profile, accessKeyId: id, session: session, process: nil, program: link.path, way: .file,
        since: max(link.since, session.issuedAt), expiresAt: session.expiresAt)
    }
  }
}
