import CSystem
import Glibc
import VaultAudit
import VaultDatabase
import VaultModel

/// The team's rows that `vault-team` fetches, one at a time as they arrive: memory use does not depend on their number.
final class TeamFetch {
  private let child: pid_t
  private let pipe: Int32
  private var stream = TeamStream.Reader()
  private var rows = ShippedRows()
  private var isWaitedFor = false

  init(_ words: [String]) throws {
    var ends: [Int32] = [0, 0]
    guard sys_pipe(&ends) == 0 else { throw Failure("cannot create a pipe (errno \(errno))", exitStatus: .software) }
    do {
      child = try TeamSource.spawn(words, output: ends[1])
    } catch {
      close(ends[0])
      close(ends[1])
      throw error
    }
    close(ends[1])
    pipe = ends[0]
  }

  deinit {
    close(pipe)
    guard !isWaitedFor else { return }
    kill(child, SIGKILL)
    waitpid(child, nil, 0)
  }

  /// The times of the first and the last row of the log, as reported by the server.
  func span() throws -> (first: Timestamp, last: Timestamp)? {
    while stream.span == nil, readMore() { try damageIsFailure { try stream.consumeHeader() } }
    guard let span = stream.span else {
      try finish()
      return nil
    }
    return span.first.milliseconds == 0 ? nil : span
  }

  /// Lends each valid row, to the end.
  func forEach(_ body: (AuditRowView) throws -> Void) throws {
    func consume() throws {
      try damageIsFailure {
        try stream.consume { form, hash, origin in try rows.consume(form, hash: hash, from: origin) { try body($0) } }
      }
    }
    try consume()
    while readMore() { try consume() }
    try finish()
    if rows.leftOut > 0 {
      Diagnostics.notice(
        "\(rows.leftOut) rows omitted: this version cannot read them (`vault audit verify --from` verifies them)")
    }
  }

  private func readMore() -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 8) { buffer in
      while true {
        let count = read(pipe, buffer.baseAddress!, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        stream.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return true
      }
    }
  }

  private func damageIsFailure<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch is TeamStream.Damage {
      throw Failure("unexpected response from vault-team", exitStatus: .software)
    }
  }

  private func finish() throws {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    isWaitedFor = true
    // `vault-team` has reported the error itself.
    if status & 0x7F == 0, let failed = ExitStatus(rawValue: status >> 8 & 0xFF), failed != .success {
      throw Told(exitStatus: failed)
    }
    guard status == 0, stream.hasEnded else {
      throw Failure("vault-team exited before it had sent everything", exitStatus: .software)
    }
  }

  /// `vault-team` has reported on standard error why there is no answer.
  struct Told: Error { let exitStatus: ExitStatus }
}

/// The figures of a team's logs, from one pass over the rows as they arrive.
final class TeamFigures: ReportSource {
  private let fetch: TeamFetch
  private let log: TeamLog
  private var marks = ShippedMarks()
  private var sessions: VaultReader?
  /// Called with every row.
  var observe: (AuditRowView) -> Void = { _ in }
  /// By login.
  private(set) var byLogin: [Tally] = []

  init(_ fetch: TeamFetch) throws {
    self.fetch = fetch
    log = try TeamLog()
  }

  var logins: NameTable { marks.logins }

  func auditSpan() throws -> (first: Timestamp, last: Timestamp)? { try fetch.span() }

  func forEachAuditMark(_ filter: AuditFilter, names: inout AuditNames, _ body: (AuditStatRow) throws -> Void) throws {
    try fetch.forEach { line in
      observe(line)
      try marks.consume(line) { mark, login, time, user in
        while byLogin.count <= login { byLogin.append(Tally()) }
        byLogin[login].add(mark)
        try log.add(line, time: time, user: user)
        try body(mark)
      }
    }
    names = marks.names
    sessions = try log.reader()
    if marks.ahead > 0 {
      Diagnostics.notice("\(marks.ahead) rows are dated after they were received; they are counted by when they were received")
    }
  }

  func rotationHealth(_ filter: AuditFilter) throws -> [RotationHealth] { try sessions?.rotationHealth(filter) ?? [] }
  func profileUses() throws -> [ProfileUse] { try sessions?.profileUses() ?? [] }

  func deliveries(ofSession id: String) throws -> Int64? { try sessions?.deliveries(ofSession: id) }

  /// The server has already filtered by user, session and requester, which have other names here.
  func sessionSpans(_ filter: AuditFilter, maximum: Int) throws -> [SessionSpan] {
    var filter = filter
    filter.user = nil
    filter.session = nil
    (filter.program, filter.automation, filter.run) = (nil, nil, nil)
    return try sessions?.sessionSpans(filter, maximum: maximum) ?? []
  }
}
