/// Environment entries, `NAME=value`, each followed by a zero, as a process has them.
public struct EnvironmentBlock: FieldValue, Hashable {
  private var bytes: [UInt8] = []

  public init() {}

  public mutating func append(_ entry: String) {
    if bytes.isEmpty { bytes.reserveCapacity(1_024) }
    bytes += entry.utf8
    bytes.append(0)
  }

  public var isEmpty: Bool { bytes.isEmpty }
  public var entries: [String] { bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } }

  public init?(field: WireBytes) {
    bytes = field.withBytes { Array($0) }
    if let last = bytes.last, last != 0 { return nil }
  }

  public func append(to frame: WireBuffer) { bytes.withUnsafeBytes { frame.append($0) } }
}
