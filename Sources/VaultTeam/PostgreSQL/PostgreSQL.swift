import CPostgreSQL
import Glibc
import VaultModel

// Only this file calls libpq. It turns pointers into values and states into errors, and nothing unsafe leaves it. Data from the
// server is bounded by libpq's protocol checks and validated before it is trusted.

/// A value for a statement's parameter, in PostgreSQL's binary form.
enum ServerValue {
  case null
  case text(String)
  case number(Int64)
  case time(Timestamp)
  case bytes([UInt8])
  case array(BinaryArray)

  /// The type's OID, the same in every server (PostgreSQL, `pg_type.dat`).
  fileprivate var type: Oid {
    switch self {
    // The type that the statement needs.
    case .null: 0
    case .text: 25
    case .number: 20
    case .time: 1_184
    case .bytes: 17
    case .array(let array): array.type.arrayOid
    }
  }
}

/// A connection. Not for concurrent use by two threads.
final class Server {
  private let handle: OpaquePointer
  /// After this many seconds of silence, the server counts as gone.
  private let timeouts: Int32

  /// Connects, within the timeout in `parameters`.
  ///
  /// - Parameters:
  ///   - parameters: libpq's own (PostgreSQL, "Parameter Key Words"): the parts of a connection string and the vault's additions.
  ///   - timeouts: how many seconds the server may be silent; a report over millions of rows takes time.
  init(_ parameters: [(name: String, value: String)], timeouts: Int32) throws(ServerError) {
    self.timeouts = timeouts
    var names: [UnsafePointer<CChar>?] = parameters.map { UnsafePointer(strdup($0.name)) } + [nil]
    var values: [UnsafePointer<CChar>?] = parameters.map { UnsafePointer(strdup($0.value)) } + [nil]
    defer { for text in names + values { free(UnsafeMutablePointer(mutating: text)) } }
    guard let handle = PQconnectdbParams(&names, &values, 0) else { throw .outOfMemory }
    guard PQstatus(handle) == CONNECTION_OK else {
      let said = Self.bounded(PQerrorMessage(handle))
      let needsPassword = PQconnectionNeedsPassword(handle) == 1
      PQfinish(handle)
      throw ServerError(connecting: said, needsPassword: needsPassword)
    }
    self.handle = handle
    // The server's notices must not reach the user's terminal.
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
    guard PQsetnonblocking(handle, 1) == 0 else { throw .lost("the connection cannot be used") }
  }

  deinit { PQfinish(handle) }

  /// The server's address, for display.
  var place: String {
    let host = Self.bounded(PQhost(handle))
    return host.hasPrefix("/") ? host : "\(host):\(Self.bounded(PQport(handle)))"
  }
  /// The server's address and database.
  var database: String { "\(place)/\(Self.bounded(PQdb(handle)))".filter { !$0.isWhitespace } }
  var isEncrypted: Bool { PQsslInUse(handle) == 1 }

  /// Runs a statement to its end, for its effect.
  ///
  /// - Returns: the number of affected rows.
  @discardableResult
  func run(_ sql: StaticString, _ values: [ServerValue] = []) throws -> Int {
    try begin(sql.description, values)
    return try finish()
  }

  /// Sends a statement; ``finish()`` waits for its end.
  func begin(_ sql: String, _ values: [ServerValue]) throws { try send(sql, values) }

  /// Waits for the end of the statement sent by ``begin(_:_:)``.
  ///
  /// - Returns: the number of affected rows.
  func finish() throws -> Int {
    var count = 0
    while let result = try next() {
      defer { PQclear(result) }
      try check(result)
      count = Int(String(cString: PQcmdTuples(result))) ?? 0
    }
    return count
  }

  /// Runs a query and lends its rows one at a time as they arrive, however many there are.
  ///
  /// - Parameter sql: assembled from fixed pieces; search values are in `values`.
  func forEachRow(_ sql: String, _ values: [ServerValue] = [], body: (ServerRow) throws -> Void) throws {
    try send(sql, values)
    guard PQsetSingleRowMode(handle) == 1 else { throw lost() }
    while let result = try next() {
      defer { PQclear(result) }
      try check(result)
      for row in 0..<PQntuples(result) { try body(ServerRow(result: result, row: row)) }
    }
  }

  private func send(_ sql: String, _ values: [ServerValue]) throws(ServerError) {
    var types = values.map(\.type)
    var forms: [[UInt8]?] = values.map { value in
      switch value {
      case .null: nil
      case .text(let text): Array(text.utf8)
      case .number(let number): withUnsafeBytes(of: number.bigEndian) { Array($0) }
      case .time(let time): withUnsafeBytes(of: EventColumns.time(time.milliseconds).bigEndian) { Array($0) }
      case .bytes(let bytes): bytes
      case .array(let array): array.bytes
      }
    }
    guard forms.allSatisfy({ ($0?.count ?? 0) < 1 << 30 }) else { throw .lost("more than a statement can hold") }
    var lengths = forms.map { Int32($0?.count ?? 0) }
    var formats = [Int32](repeating: 1, count: values.count)
    // libpq copies everything before it returns. Even an empty value has an address, since null means NULL.
    let copies: [UnsafeMutablePointer<CChar>?] = forms.map { form in
      guard let form else { return nil }
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: max(1, form.count))
      form.withUnsafeBytes {
        if let start = $0.baseAddress { UnsafeMutableRawPointer(copy).copyMemory(from: start, byteCount: form.count) }
      }
      return copy
    }
    forms = []
    defer { for copy in copies { copy?.deallocate() } }
    var pointers = copies.map { UnsafePointer($0) }
    guard PQsendQueryParams(handle, sql, Int32(values.count), &types, &pointers, &lengths, &formats, 1) == 1 else { throw lost() }
    while true {
      switch PQflush(handle) {
      case 0: return
      case 1:
        // Reads while still sending: a server that answers early would otherwise deadlock with this client.
        let ready = try wait(for: Int16(POLLIN | POLLOUT))
        if ready & Int16(POLLIN) != 0, PQconsumeInput(handle) == 0 { throw lost() }
      default: throw lost()
      }
    }
  }

  /// The next result; nil at the end of the statement's results.
  private func next() throws(ServerError) -> OpaquePointer? {
    while PQisBusy(handle) == 1 {
      _ = try wait(for: Int16(POLLIN))
      guard PQconsumeInput(handle) == 1 else { throw lost() }
    }
    return PQgetResult(handle)
  }

  private func wait(for events: Int16) throws(ServerError) -> Int16 {
    var one = pollfd(fd: PQsocket(handle), events: events, revents: 0)
    while true {
      let count = poll(&one, 1, timeouts * 1_000)
      if count > 0 { return one.revents }
      if count == 0 { throw .lost("no response from the server for \(timeouts) s") }
      guard errno == EINTR else { throw lost() }
    }
  }

  private func check(_ result: OpaquePointer) throws(ServerError) {
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE: return
    default:
      let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { Self.bounded($0) } ?? ""
      let said = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { Self.bounded($0) } ?? ""
      if state.isEmpty || PQstatus(handle) != CONNECTION_OK && !state.hasPrefix("57P") {
        throw .lost(said.isEmpty ? Self.bounded(PQerrorMessage(handle)) : said)
      }
      throw ServerError(state: state, said: said)
    }
  }

  private func lost() -> ServerError { .lost(Self.bounded(PQerrorMessage(handle))) }

  /// The first line of a message from libpq or the server, at most 300 characters.
  private static func bounded(_ text: UnsafePointer<CChar>?) -> String {
    guard let text else { return "" }
    let whole = String(decoding: UnsafeRawBufferPointer(start: text, count: strnlen(text, 2_000)), as: UTF8.self)
    return String((whole.split(separator: "\n").first ?? "").prefix(300))
  }

  /// Parses a connection string, ignoring the environment.
  ///
  /// - Throws: `ServerError.address` if it is invalid.
  static func parts(of address: String) throws(ServerError) -> [(name: String, value: String)] {
    var said: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(address, &said) else {
      defer { PQfreemem(said) }
      // Without quoted text, which may be a password.
      throw .address(String(bounded(said).prefix { $0 != "\"" }))
    }
    defer { PQconninfoFree(options) }
    var parts: [(name: String, value: String)] = []
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { parts.append((String(cString: keyword), String(cString: value))) }
      option += 1
    }
    return parts
  }
}

/// One row of an answer, valid until the next row.
struct ServerRow {
  fileprivate let result: OpaquePointer
  fileprivate let row: Int32

  /// Lends a value; nil for NULL.
  func withBytes<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer?) throws -> Result) rethrows -> Result {
    guard column < PQnfields(result), PQgetisnull(result, row, column) == 0 else { return try body(nil) }
    return try body(
      UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column))))
  }

  func bytes(_ column: Int32) -> [UInt8]? { withBytes(column) { $0.map { Array($0) } } }
  func text(_ column: Int32) -> String? { withBytes(column) { $0.map { String(decoding: $0, as: UTF8.self) } } }
  /// - Throws: if the value is neither a `bigint` nor a `timestamptz`.
  func number(_ column: Int32) throws -> Int64? {
    try withBytes(column) { bytes in
      guard let bytes else { return nil }
      guard bytes.count == 8 else { throw ServerError.senseless }
      return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
    }
  }
}
