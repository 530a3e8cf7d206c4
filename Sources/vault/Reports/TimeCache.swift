import VaultModel

/// Writes ISO 8601 times and remembers the last: neighbouring times in a report are often in the same second.
struct TimeCache {
  private var last: Timestamp?
  private var text: [UInt8] = []

  mutating func append(_ moment: Timestamp, to bytes: inout [UInt8]) {
    if last?.seconds != moment.seconds {
      text = Array(moment.iso8601.utf8)
      last = moment
    }
    bytes.append(contentsOf: text)
  }
}
