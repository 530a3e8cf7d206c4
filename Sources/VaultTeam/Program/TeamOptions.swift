import Glibc
import VaultAudit
import VaultModel

/// The options that `vault` passes to this program, each `--name=value`.
struct TeamOptions {
  private var values: [String: String] = [:]

  init(_ words: some Sequence<String>) throws {
    for word in words {
      guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else {
        throw Failure("\"\(word)\" is not --name=value", exitStatus: .usage)
      }
      values[String(word[word.index(word.startIndex, offsetBy: 2)..<equals])] = String(word[word.index(after: equals)...])
    }
  }

  subscript(_ name: String) -> String? { values[name] }

  func address(_ name: String) throws -> ServerAddress {
    guard let text = values[name] else {
      throw Failure("missing option: --\(name)", hint: "--\(name) postgresql://…", exitStatus: .usage)
    }
    // libpq takes the service file only from its environment, where no other libpq variable is left.
    if let services = values["service-file"] { setenv("PGSERVICEFILE", services, 1) }
    let address = try ServerAddress(text, passwords: values["passfile"])
    if address.isWeak {
      TeamProgram.notice("with this address the server is not verified, or the connection is not encrypted")
    }
    return address
  }

  func number(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = values[name] else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw Failure("--\(name) must be a number from \(range.lowerBound) to \(range.upperBound)", exitStatus: .usage)
    }
    return number
  }

  func filter() throws -> AuditFilter {
    var filter = AuditFilter()
    filter.profile = values["profile"]
    filter.role = values["role"]
    filter.user = values["user"]
    filter.session = values["session"]
    filter.program = values["program"]
    filter.automation = values["automation"]
    filter.run = values["run"]
    filter.outcome = values["outcome"].flatMap { AuditOutcome(rawValue: $0) }
    filter.action = values["action"].flatMap { AuditAction(rawValue: $0) }
    filter.since = values["since"].flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
    filter.until = values["until"].flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
    filter.reverse = values["reverse"] != nil
    filter.limit = try number("limit", in: 1...Int(Int32.max))
    return filter
  }
}
