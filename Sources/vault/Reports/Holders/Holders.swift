import AWSConfig
import VaultAudit
import VaultDatabase
import VaultModel

/// A living process, or a file, that holds keys which AWS may still accept.
struct Holder {
  /// How it got them.
  enum Way: String {
    case exec, server, credentials, env, file
    /// In the environment that it was started with, by a program that has ended since.
    case inherited
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

/// Who holds what: the rows of deliveries, held against the processes that run and what they were started with.
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
      for (place, ancestor) in who.parents.enumerated() where ancestor.pid > 1 {
        // The file tells a process from another that has its number now; the start time does not, where none was recorded.
        if let process = living(ancestor.pid, at: row.time),
          ancestor.executable.isEmpty || ancestor.executable == process.executable
        {
          return process
        }
        // What a program got ends with it. A shell's answer is the program's above it that had started the shell for that, or the
        // shell's of which it was a part.
        guard place + 1 < who.parents.count, Self.isPassedOver(ancestor, below: who.parents[place + 1]) else { return nil }
      }
      return nil
    // The agent's own work for files; the console's is no process's.
    case .rotation, .console, .manual, .start, .automatic: return nil
    }
  }

  /// Whether a process that has ended had only handed its answer on. Where `sh` is bash, it becomes the one command that it was started
  /// for, and is not there at all.
  private static func isPassedOver(_ process: Ancestor, below parent: Ancestor) -> Bool {
    let name = process.executable.split(separator: "/").last ?? ""
    return ["sh", "dash", "ash", "busybox"].contains(name) || (shells.contains(name) && process.executable == parent.executable)
  }
  private static let shells: Set<Substring> = ["bash", "zsh", "ksh", "fish"]

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

  /// The processes that were started with one of these keys in their environment, and whose parents are no holders of it: what the
  /// program that was given it has left behind.
  ///
  /// - Parameters:
  ///   - deliveries: what was given to whom; of each key, the newest says whose it is.
  ///   - environment: the access key ID and the run with which a process was started.
  func heirs(
    among processes: [Int32], of deliveries: [LiveDelivery], besides found: [Holder],
    environment: (Int32) -> (accessKeyId: String?, run: String?)
  ) -> [Holder] {
    let keys = Dictionary(deliveries.compactMap { one in one.row.event.accessKeyId.map { ($0, one) } }) { $1 }
    guard !keys.isEmpty else { return [] }
    let runs = Dictionary(deliveries.compactMap { $0.row.event.requester.automation }.map { ($0.run, $0) }) { $1 }
    var holders: [String: Set<Int32>] = [:]
    for holder in found { if let process = holder.process { holders[holder.accessKeyId, default: []].insert(process.pid) } }
    var heirs: [Holder] = []
    for pid in processes {
      guard let process = process(pid), process.user == user else { continue }
      let variables = environment(pid)
      guard let key = variables.accessKeyId, let delivery = keys[key], let profile = delivery.row.event.profile else { continue }
      holders[key, default: []].insert(pid)
      heirs.append(
        Holder(
          profile: profile, accessKeyId: key, session: delivery.session, process: process, program: process.executable,
          way: .inherited, since: process.startedAt, expiresAt: delivery.row.event.expiresAt, parents: parents(of: process),
          automation: variables.run.flatMap { runs[$0] }))
    }
    let given = Set(found.compactMap { one in one.process.map { "\($0.pid) \(one.accessKeyId)" } })
    return heirs.filter { heir in
      let known = holders[heir.accessKeyId] ?? []
      return !given.contains("\(heir.process?.pid ?? 0) \(heir.accessKeyId)") && !heir.parents.contains { known.contains($0.pid) }
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
